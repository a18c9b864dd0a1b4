"""Which format a folder comes nearest to, and what it lacks."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from pixelwise.datasets.readers.truth_folders import list_subfolders
from pixelwise.datasets.types import first
from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.text import is_side_file

# By format, the parts that stand at its root; a part may be one of several patterns.
_PARTS: Mapping[str, tuple[str, ...]] = {
    "folder": ("images|imgs|image|JPEGImages|img_dir", "masks|labels|annotations|mask|label"),
    "voc": ("JPEGImages|images", "SegmentationClass", "ImageSets/Segmentation/*.txt"),
    "camvid": ("train", "trainannot"),
    "coco": ("images|train", "annotations/*.json|*.json|train/*.json"),
    "cvat": ("annotations.xml", "images"),
    "supervisely": ("meta.json", "*/ann|ann", "*/img|img"),
    "cityscapes": ("leftImg8bit", "gtFine|gtCoarse"),
    "ade20k": ("images/training", "annotations/training", "objectInfo150.txt"),
    "yolo": ("data.yaml|*.yaml|*.yml", "images", "labels"),
    "nnunet": ("imagesTr", "labelsTr", "dataset.json"),
    "lists": ("train.txt|train_list.txt", "images|JPEGImages", "annotations|labels|masks"),
}
_MAX_FOLDERS = 40
_MAX_DEPTH = 3


def describe_nearest(root: Path) -> str:
    """Three lines: what is here, which format comes nearest and what it lacks, and where the
    formats are listed; of photos alone, how to label them instead.
    """
    photos = _find_photos(root)
    if photos is not None:
        command = f"{shlex.join(['pixelwise', 'label', str(photos)])} --classes road,sky"
        return (
            f"{root}: {_describe_contents(photos)} in {photos} and no masks of them.\n"
            f"To label them, in a browser, with class names of yours: {command}\n"
            "Masks made elsewhere go to masks/a.png for images/a.jpg; `pixelwise help formats` "
            "lists other layouts."
        )
    lacking = {format: _missing_parts(root, parts) for format, parts in _PARTS.items()}
    shares = {format: 1 - len(missing) / len(_PARTS[format]) for format, missing in lacking.items()}
    nearest = max(shares, key=lambda format: shares[format])
    missing = " and ".join(part.split("|")[0] for part in lacking[nearest])
    if not shares[nearest]:
        line = "The plainest layout is images/a.jpg with masks/a.png."
    elif missing:
        line = f"Nearest is {nearest}, which lacks {missing}."
    else:
        line = f"Nearest is {nearest}: its files are here by name, but not what they must hold."
    return (
        f"{root}: no known layout of images and masks; here are {_describe_contents(root)}.\n"
        f"{line}\n"
        "`pixelwise help formats` lists all formats, --format names one; any others can be listed "
        "in train.txt, a pair a line: images/a.jpg masks/a.png"
    )


def _find_photos(root: Path) -> Path | None:
    """The folder of pictures where there is nothing else: `root`, or the only folder in it."""
    inner = list_subfolders(root)
    files = [path for path in root.iterdir() if not path.is_dir() and not is_side_file(path)]
    if not files and len(inner) == 1:
        return _find_photos(inner[0])
    is_photos = not inner and files and all(map(_is_picture, files))
    return root if is_photos else None


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _missing_parts(root: Path, parts: tuple[str, ...]) -> list[str]:
    return [part for part in parts if not any(_is_here(root, one) for one in part.split("|"))]


def _is_here(root: Path, pattern: str) -> bool:
    paths = root.glob(pattern)
    return any(not is_side_file(path) for path in paths)


def _describe_contents(root: Path) -> str:
    """Folders by name, and how many files of each ending."""
    folders = [f"{path.name}/" for path in list_subfolders(root)]
    endings = Counter(
        "pictures" if _is_picture(path) else f"{path.suffix or 'other'} files"
        for path in root.iterdir()
        if not is_side_file(path) and not path.is_dir()
    )
    counts = [f"{count} {ending}" for ending, count in endings.most_common(3)]
    return ", ".join([*([first(folders)] if folders else []), *counts]) or "no files"


def list_candidates(root: Path) -> Iterator[list[Path]]:
    """The folders that may hold the data set, as where an archive was unpacked into a folder of its
    name: those in `root`, then those in these, and so on.
    """
    folders = [root]
    for _ in range(_MAX_DEPTH):
        inner = [path for folder in folders for path in list_subfolders(folder)]
        if not 0 < len(inner) <= _MAX_FOLDERS:
            return
        folders = inner
        yield folders
