"""Cityscapes: street scenes with label ids, as the 19 classes that are scored or as all.

Source: Cordts et al., The Cityscapes Dataset, 2016; names, ids and colours as in its published
label table.
"""

from functools import partial
from pathlib import Path

from pixelwise.classes import VOID, Classes, Colour
from pixelwise.datasets.issues import IssueNote
from pixelwise.datasets.mask_reader import ILLEGAL, LabelReader
from pixelwise.datasets.splits import complete_splits, split_folders
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first
from pixelwise.errors import DataError

LAYOUT = "leftImg8bit/train/CITY/*_leftImg8bit.png and gtFine/train/CITY/*_gtFine_labelIds.png"
SCORED: dict[int, tuple[str, Colour]] = {
    7: ("road", (128, 64, 128)),
    8: ("sidewalk", (244, 35, 232)),
    11: ("building", (70, 70, 70)),
    12: ("wall", (102, 102, 156)),
    13: ("fence", (190, 153, 153)),
    17: ("pole", (153, 153, 153)),
    19: ("traffic light", (250, 170, 30)),
    20: ("traffic sign", (220, 220, 0)),
    21: ("vegetation", (107, 142, 35)),
    22: ("terrain", (152, 251, 152)),
    23: ("sky", (70, 130, 180)),
    24: ("person", (220, 20, 60)),
    25: ("rider", (255, 0, 0)),
    26: ("car", (0, 0, 142)),
    27: ("truck", (0, 0, 70)),
    28: ("bus", (0, 60, 100)),
    31: ("train", (0, 80, 100)),
    32: ("motorcycle", (0, 0, 230)),
    33: ("bicycle", (119, 11, 32)),
}
OTHERS: dict[int, tuple[str, Colour]] = {
    4: ("static", (0, 0, 0)),
    5: ("dynamic", (111, 74, 0)),
    6: ("ground", (81, 0, 81)),
    9: ("parking", (250, 170, 160)),
    10: ("rail track", (230, 150, 140)),
    14: ("guard rail", (180, 165, 180)),
    15: ("bridge", (150, 100, 100)),
    16: ("tunnel", (150, 120, 90)),
    18: ("polegroup", (153, 153, 153)),
    29: ("caravan", (0, 0, 90)),
    30: ("trailer", (0, 0, 110)),
}
_IDS = 34


def matches(root: Path) -> bool:
    """Whether the official folders stand at `root`."""
    return (root / "leftImg8bit").is_dir() and any(
        (root / name).is_dir() for name in ("gtFine", "gtCoarse")
    )


def read(root: Path, options: DataOptions, *, every: bool = False) -> DataSet:
    """Open Cityscapes: 19 classes, or with `every` the 30 that are not void by nature. The test
    split, whose labels are withheld, is left out. Raises DataError for another layout and, unless
    `skip_unpaired`, images without labels.
    """
    if not matches(root):
        raise DataError(f"{root}: not Cityscapes; it needs {LAYOUT}")
    truth = "gtFine" if (root / "gtFine").is_dir() else "gtCoarse"
    found = SCORED | OTHERS if every else SCORED
    notes = [
        f"format cityscapes: leftImg8bit and {truth}; {len(found)} classes, all other ids are void"
    ]
    splits = {}
    for split, images in split_folders(root / "leftImg8bit").items():
        if split == "test":
            text = "test: left out, as its labels are withheld"
            notes.append(IssueNote.of(text, "split-without-masks", root))
            continue
        pictures = _by_name(images, "_leftImg8bit.png")
        masks = _by_name(root / truth / images.name, f"_{truth}_labelIds.png")
        odd = sorted(pictures.keys() ^ masks.keys())
        if odd and not options.skip_unpaired:
            what = f"{len(odd)} images without labels or labels without image: {first(odd)}"
            raise DataError(f"{images}: {what}; add them, or leave them out with --skip-unpaired")
        if odd:
            text = f"left out in {images.name}: {first(odd)}"
            notes.append(IssueNote.of(text, "image-without-mask", root))
        both = sorted(pictures.keys() & masks.keys())
        splits[split] = tuple(Pair(name, pictures[name], masks[name]) for name in both)
    splits, said = complete_splits(splits, options)
    names, palette = zip(*(found[raw] for raw in sorted(found)), strict=True)
    order = {raw: label for label, raw in enumerate(sorted(found))}
    lut = tuple(
        order.get(raw, VOID if raw < _IDS or raw == VOID else ILLEGAL) for raw in range(256)
    )
    name = "cityscapes-all" if every else "cityscapes"
    return DataSet(
        name, root, Classes(names, palette), splits, LabelReader(len(names), lut), (*notes, *said)
    )


def _by_name(folder: Path, ending: str) -> dict[str, Path]:
    return {path.name.removesuffix(ending): path for path in folder.rglob(f"*{ending}")}


read_all = partial(read, every=True)
