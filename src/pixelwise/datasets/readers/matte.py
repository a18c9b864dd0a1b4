"""People and their alpha mattes, in the layout of the CUHK portrait set: x.jpg or x.png beside
x_matte.png.

Source: Shen et al., Automatic Portrait Segmentation for Image Stylization, 2016.
"""

from dataclasses import replace
from pathlib import Path

from pixelwise.classes import Classes
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import matte_encoding
from pixelwise.datasets.mask_reader import MatteReader
from pixelwise.datasets.pairing import Pairing, list_readable, pair_files
from pixelwise.datasets.splits import named_splits
from pixelwise.datasets.types import DataOptions, DataSet, Pair, images_in
from pixelwise.errors import DataError

LAYOUT = "x.jpg beside x_matte.png, in training/ and testing/ or in one folder"
CLASSES = Classes.named(("background", "person"))
_ENDING = "_matte"


def matches(root: Path) -> bool:
    """Whether mattes lie at `root` or in a folder of it that is named as a split."""
    return has_mattes(root) or any(has_mattes(folder) for _, folder in named_splits(root)[0])


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a matte set; val is held out of training. Raises DataError for no mattes and for what
    `pair_files` refuses.
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The files of a matte set. Raises DataError where there are no mattes."""
    flat = has_mattes(root)
    issues: list[Issue] = []
    named = [("train", root)]
    if not flat:
        named, issues = named_splits(root)
    folders = [(split, folder) for split, folder in named if has_mattes(folder)]
    if not folders:
        raise DataError(f"{root}: no mattes; it needs {LAYOUT}")
    notes = [
        f"format matte: files ending in {_ENDING}; alpha of {options.matte_threshold} or more "
        "is person" + ("; alpha itself is learned" if options.matte else "")
    ]
    splits: dict[str, tuple[Pair, ...]] = {}
    for split, folder in folders:
        pairing = _pair_mattes(folder, options)
        splits[split] = splits.get(split, ()) + pairing.pairs
        issues += pairing.issues
        notes += pairing.notes
    reader = MatteReader(options.matte_threshold)
    return Index(
        "matte",
        root,
        splits,
        tuple(issues),
        tuple(notes),
        CLASSES,
        reader,
        matte_encoding(reader, CLASSES),
        folders=tuple(folder for _, folder in folders),
        # The published set has testing/: only a set in one folder lacks a test split.
        hold_test=flat,
    )


def _pair_mattes(folder: Path, options: DataOptions) -> Pairing:
    files, unreadable = list_readable(folder)
    mattes = [path for path in files if _is_matte(path)]
    images = [path for path in files if not _is_matte(path)]
    pairing = pair_files(images, mattes, options, where=folder)
    return replace(pairing, issues=(*unreadable, *pairing.issues))


def _is_matte(path: Path) -> bool:
    return path.stem.endswith(_ENDING)


def has_mattes(folder: Path) -> bool:
    """Whether alpha mattes lie in `folder`."""
    return any(_is_matte(path) for path in images_in(folder))
