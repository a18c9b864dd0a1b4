"""CamVid in the layout of the SegNet papers: train/ beside trainannot/, 11 classes and void.

Source: Badrinarayanan et al., SegNet, 2017; Brostow et al., Semantic object classes in video, 2009.
"""

from pathlib import Path

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.mask_reader import LabelReader, index_lut
from pixelwise.datasets.types import DataOptions, DataSet, Pair, complete_splits, images_in, pair_up
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
    return any(folders(root, split) for split in ("train", "val", "test"))


def read(root: Path, options: DataOptions) -> DataSet:
    """Open CamVid at `root`. Raises DataError when no split has annotations, or for what `pair_up`
    refuses.
    """
    if not matches(root):
        raise DataError(f"{root}: not CamVid; it needs {LAYOUT}")
    notes = [
        "format camvid: folders of images beside folders called ...annot; 11 classes, 11 and "
        "255 are void"
    ]
    splits: dict[str, tuple[Pair, ...]] = {}
    for split in ("train", "val", "test"):
        found = folders(root, split)
        if found:
            splits[split], said = pair_up(
                images_in(found[0]), images_in(found[1]), options, where=found[0]
            )
            notes += said
        elif (root / split).is_dir():
            notes.append(f"{split}: left out, as there is no {split}annot/")
    splits, said = complete_splits(splits, options)
    lut = index_lut(len(CLASSES), (VOID_LABEL, VOID))
    reader = LabelReader(len(CLASSES), lut, CLASSES.palette, (VOID_COLOUR,))
    return DataSet("camvid", root, CLASSES, splits, reader, (*notes, *said))


def folders(root: Path, split: str) -> tuple[Path, Path] | None:
    """The folders of images and of masks of a split, None where one is missing."""
    images = root / split
    masks = root / f"{split}annot"
    return (images, masks) if images.is_dir() and masks.is_dir() else None
