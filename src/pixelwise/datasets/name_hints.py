"""Why files of a folder of images and one of masks do not pair, as far as their names show it."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from pixelwise.datasets.annotations.yolo_labels import holds_labels
from pixelwise.datasets.mask_names import NameLookup
from pixelwise.io.image_formats import STREAMED_SUFFIXES
from pixelwise.io.text import is_side_file

NAME_RULE = (
    "a mask is called as its image (a.jpg and a.png), or with _mask, _label, _gt or _seg behind it "
    "or before it"
)

_YOLO = (
    "if these are labels of YOLO, name the classes in data.yaml beside images/ and labels/, such "
    "as `names: [cat, dog]`"
)
# Endings of two parts.
_DOUBLE = (".nii.gz", ".ome.zarr")


def describe_other_formats(folder: Path, images: Sequence[Path]) -> str:
    """The files of `folder` that are called as `images` and are no pictures, such as .npy; empty
    where there are none.
    """
    if not images or not folder.is_dir():
        return ""
    lookup = NameLookup(path.stem for path in images)
    endings: Counter[str] = Counter()
    has_polygons = False
    for path in folder.iterdir():
        name, ending = _split_ending(path.name)
        if ending in STREAMED_SUFFIXES or not ending or is_side_file(path):
            continue
        if lookup.find(name):
            endings[ending] += 1
            has_polygons = has_polygons or (ending == ".txt" and holds_labels(path) is True)
    if not endings:
        return ""
    counts = " and ".join(f"{count} {ending} files" for ending, count in endings.most_common(3))
    text = f"{folder.name}/ holds {counts} that are called as images and are not read"
    return f"{text}; {_YOLO}" if has_polygons else text


def _split_ending(name: str) -> tuple[str, str]:
    lower = name.lower()
    for double in _DOUBLE:
        if lower.endswith(double):
            return name[: -len(double)], double
    stem, dot, ending = name.rpartition(".")
    return (stem, f".{ending.lower()}") if dot else (name, "")


def describe_name_difference(images: Collection[Path], masks: Collection[Path]) -> str:
    """What keeps unpaired images and masks apart; empty where nothing is recognised."""
    image_numbers = {_without_zeros(path.stem) for path in images}
    mask_numbers = {_without_zeros(path.stem) for path in masks}
    shared = {name for name in image_numbers & mask_numbers if name}
    texts = [{tuple(re.findall(r"\d+", path.stem)) for path in paths} for paths in (images, masks)]
    if shared and not texts[0] & texts[1]:
        return "the numbers are padded with zeros in another way (001 and 1): rename one side"
    return ""


def _without_zeros(stem: str) -> str:
    """The numbers of a name; words do not count here."""
    return "_".join(str(int(number)) for number in re.findall(r"\d+", stem))
