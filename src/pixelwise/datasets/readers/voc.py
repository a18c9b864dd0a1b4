"""Pascal VOC segmentation in its official layout.

Source: Everingham et al., The PASCAL Visual Object Classes Challenge 2012, development kit.
"""

from pathlib import Path

from pixelwise.classes import VOID_COLOUR, Classes
from pixelwise.datasets.mask_reader import LabelReader, index_lut
from pixelwise.datasets.types import DataOptions, DataSet, Pair, complete_splits, first, images_in
from pixelwise.errors import DataError

LAYOUT = (
    "JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/train.txt, at the root or in "
    "VOCdevkit/VOC2012/; "
    "labelmap.txt may name other classes than the 21 (name:r,g,b::)"
)
NAMES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dining table",
    "dog",
    "horse",
    "motorbike",
    "person",
    "potted plant",
    "sheep",
    "sofa",
    "train",
    "tv monitor",
)


def matches(root: Path) -> bool:
    """Whether the official layout stands at or beneath `root`."""
    return find(root) is not None


def read(root: Path, options: DataOptions) -> DataSet:
    """Open VOC beneath `root`; splits are those of ImageSets/Segmentation.

    Raises DataError when the layout is not there, or when listed ids lack image or mask (unless
    `skip_unpaired`).
    """
    base = find(root)
    if base is None:
        raise DataError(f"{root}: not Pascal VOC; it needs {LAYOUT}")
    images = {path.stem: path for path in images_in(base / "JPEGImages")}
    masks = {path.stem: path for path in images_in(base / "SegmentationClass")}
    notes = [f"format voc: JPEGImages, SegmentationClass and ImageSets/Segmentation in {base}"]
    splits: dict[str, tuple[Pair, ...]] = {}
    for split, ids in lists(base).items():
        if split == "test" and not any(name in masks for name in ids):
            notes.append(f"test: left out, as none of its {len(ids)} images has a mask")
            continue
        splits[split], left_out = _pairs(split, ids, images, masks, options)
        notes += left_out
    splits, said = complete_splits(splits, options)
    classes = classes_of(base)
    reader = LabelReader(len(classes), index_lut(len(classes)), classes.palette, (VOID_COLOUR,))
    return DataSet("voc", root, classes, splits, reader, (*notes, *said))


def classes_of(base: Path) -> Classes:
    """The 21 classes, or those of labelmap.txt as annotation tools write it. Raises DataError for
    lines unlike that.
    """
    path = base / "labelmap.txt"
    if not path.is_file():
        return Classes.named(NAMES)
    rows = [
        line
        for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        if line.strip() and line[0] != "#"
    ]
    try:
        named = [
            (line.split(":")[0], [int(channel) for channel in line.split(":")[1].split(",")])
            for line in rows
        ]
        return Classes(tuple(name for name, _ in named), tuple((r, g, b) for _, (r, g, b) in named))
    except (ValueError, IndexError, DataError) as error:
        raise DataError(
            f"{path}: cannot be read as classes ({error}); one a line, as in cat:64,0,0::"
        ) from error


def find(root: Path) -> Path | None:
    """The folder of the newest year that has the layout."""
    years = [*root.glob("VOC20[0-9][0-9]"), *root.glob("VOCdevkit/VOC20[0-9][0-9]")]
    for base in [root, *sorted(years, key=lambda path: path.name, reverse=True)]:
        sets = base / "ImageSets" / "Segmentation"
        if (
            (base / "JPEGImages").is_dir()
            and (base / "SegmentationClass").is_dir()
            and any(
                (sets / f"{name}.txt").is_file() for name in ("train", "trainval", "val", "test")
            )
        ):
            return base
    return None


def lists(base: Path) -> dict[str, list[str]]:
    """Ids by split; where train or val is missing, it is what the other leaves of trainval."""
    found = {}
    for split in ("train", "val", "test", "trainval"):
        path = base / "ImageSets" / "Segmentation" / f"{split}.txt"
        if path.is_file():
            rows = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
            found[split] = list(dict.fromkeys(line.split()[0] for line in rows if line.strip()))
    both = found.pop("trainval", None)
    for absent, other in (("train", "val"), ("val", "train")):
        if both is not None and absent not in found:
            taken = set(found.get(other, ()))
            found[absent] = [name for name in both if name not in taken]
    return {split: ids for split, ids in found.items() if ids}


def _pairs(
    split: str,
    ids: list[str],
    images: dict[str, Path],
    masks: dict[str, Path],
    options: DataOptions,
) -> tuple[tuple[Pair, ...], list[str]]:
    lacking = [name for name in ids if name not in images or name not in masks]
    missing = [f"{name} ({_lacks(name in images, name in masks)})" for name in lacking]
    pairs = tuple(
        Pair(name, images[name], masks[name]) for name in ids if name in images and name in masks
    )
    what = (
        f"{split}.txt lists {len(ids)} images, of which {len(missing)} lack a file: "
        f"{first(missing)}"
    )
    if missing and (not options.skip_unpaired or not pairs):
        raise DataError(f"{what}; add the files, or leave these images out with --skip-unpaired")
    return pairs, [f"{what}; left out"] if missing else []


def _lacks(image: bool, mask: bool) -> str:
    return "no image" if mask else "no mask" if image else "no image, no mask"
