"""People and their alpha mattes, in the layout of the CUHK portrait set: x.jpg or x.png beside
x_matte.png.

Source: Shen et al., Automatic Portrait Segmentation for Image Stylization, 2016.
"""

from pathlib import Path

from pixelwise.classes import Classes
from pixelwise.datasets.mask_reader import MatteReader
from pixelwise.datasets.types import (
    DataOptions,
    DataSet,
    Pair,
    complete_splits,
    images_in,
    pair_up,
    split_folders,
)
from pixelwise.errors import DataError

LAYOUT = "x.jpg beside x_matte.png, in training/ and testing/ or in one folder"
CLASSES = Classes(("background", "person"), ((0, 0, 0), (192, 128, 128)))
_ENDING = "_matte"


def matches(root: Path) -> bool:
    """Whether mattes lie at `root` or in a folder of it that is named as a split."""
    return bool(_folders(root))


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a matte set; val is held out of training. Raises DataError for no mattes and for what
    `pair_up` refuses.
    """
    folders = _folders(root)
    if not folders:
        raise DataError(f"{root}: no mattes; it needs {LAYOUT}")
    notes = [
        f"format matte: files ending in {_ENDING}; alpha of {options.matte_threshold} or more "
        "is person"
    ]
    splits: dict[str, tuple[Pair, ...]] = {}
    for split, folder in folders.items():
        files = images_in(folder)
        mattes = [path for path in files if path.stem.endswith(_ENDING)]
        images = [path for path in files if not path.stem.endswith(_ENDING)]
        splits[split], said = pair_up(images, mattes, options, where=folder)
        notes += said
    splits, said = complete_splits(splits, options, hold_test=root in folders.values())
    return DataSet(
        "matte", root, CLASSES, splits, MatteReader(options.matte_threshold), (*notes, *said)
    )


def _folders(root: Path) -> dict[str, Path]:
    if has_mattes(root):
        return {"train": root}
    return {split: folder for split, folder in split_folders(root).items() if has_mattes(folder)}


def has_mattes(folder: Path) -> bool:
    """Whether alpha mattes lie in `folder`."""
    return any(path.stem.endswith(_ENDING) for path in images_in(folder))
