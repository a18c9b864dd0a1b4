"""CamVid in the layout of the SegNet papers: train/ beside trainannot/, 11 classes and void.

Source: Badrinarayanan et al., SegNet, 2017; Brostow et al., Semantic object classes in video, 2009.
"""

from pathlib import Path

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import encoding_of_reader
from pixelwise.datasets.mask_reader import LabelReader, index_lut
from pixelwise.datasets.pairing import pair_folders
from pixelwise.datasets.splits import SPLIT_ORDER
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import DataError

LAYOUT = (
    "train/ with images and trainannot/ with masks (likewise val/, valannot/, test/, testannot/)"
)
CLASSES = Classes(
    (
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign",
        "fence",
        "car",
        "pedestrian",
        "bicyclist",
    ),
    (
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    ),
)
VOID_LABEL = 11
VOID_COLOUR = (0, 0, 0)


def matches(root: Path) -> bool:
    """Whether any split stands beside its annotations."""
    return any(folders(root, split) for split in SPLIT_ORDER)


def read(root: Path, options: DataOptions) -> DataSet:
    """Open CamVid at `root`. Raises DataError when no split has annotations, or for what
    `pair_files` refuses.
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The files of CamVid at `root`. Raises DataError when no split has annotations."""
    if not matches(root):
        raise DataError(f"{root}: not CamVid; it needs {LAYOUT}")
    notes = [
        "format camvid: folders of images beside folders called ...annot; 11 classes, 11 and "
        "255 are void"
    ]
    issues: list[Issue] = []
    splits: dict[str, tuple[Pair, ...]] = {}
    pictures: list[Path] = []
    for split in SPLIT_ORDER:
        sides = folders(root, split)
        if sides:
            pairing = pair_folders(*sides, options)
            splits[split] = pairing.pairs
            issues += pairing.issues
            notes += pairing.notes
            pictures += sides
        elif (root / split).is_dir():
            text = f"there is no {split}annot/"
            issues.append(Issue("split-without-masks", root / split, text))
            notes.append(f"{split}: left out, as {text}")
    reader = _label_reader()
    evidence = "11 classes, 11 and 255 are void"
    return Index(
        "camvid",
        root,
        splits,
        tuple(issues),
        tuple(notes),
        CLASSES,
        reader,
        encoding_of_reader(reader, CLASSES, kind="CamVid ids", evidence=evidence),
        folders=tuple(pictures),
    )


def _label_reader() -> LabelReader:
    # 11 is void in the published masks; 255 is void everywhere else, so tools may add it.
    lut = index_lut(len(CLASSES), (VOID_LABEL, VOID))
    return LabelReader(len(CLASSES), lut, CLASSES.palette, (VOID_COLOUR,))


def folders(root: Path, split: str) -> tuple[Path, Path] | None:
    """The folders of images and of masks of a split, None where one is missing."""
    images = root / split
    masks = root / f"{split}annot"
    return (images, masks) if images.is_dir() and masks.is_dir() else None
