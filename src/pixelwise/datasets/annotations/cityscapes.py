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
# The 19 classes of the benchmark, by label id.
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
# Classes that the benchmark does not score.
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

# Ids of the label table: 0 to 33.
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
    by_id = SCORED | OTHERS if every else SCORED
    notes = [
        f"format cityscapes: leftImg8bit and {truth}; {len(by_id)} classes, all other ids are void"
    ]
    splits = {}
    for split, folder in split_folders(root / "leftImg8bit").items():
        if split == "test":
            text = "test: left out, as its labels are withheld"
            notes.append(IssueNote.of(text, "split-without-masks", root))
            continue
        images = _files_by_name(folder, "_leftImg8bit.png")
        masks = _files_by_name(root / truth / folder.name, f"_{truth}_labelIds.png")
        unpaired = sorted(images.keys() ^ masks.keys())
        if unpaired and not options.skip_unpaired:
            raise DataError(
                f"{folder}: {len(unpaired)} images without labels or labels without image: "
                f"{first(unpaired)}; add them, or leave them out with --skip-unpaired"
            )
        if unpaired:
            text = f"left out in {folder.name}: {first(unpaired)}"
            notes.append(IssueNote.of(text, "image-without-mask", root))
        paired = sorted(images.keys() & masks.keys())
        splits[split] = tuple(Pair(name, images[name], masks[name]) for name in paired)
    splits, split_notes = complete_splits(splits, options)
    names, palette = zip(*(by_id[number] for number in sorted(by_id)), strict=True)
    reader = LabelReader(len(names), _label_table(by_id))
    name = "cityscapes-all" if every else "cityscapes"
    return DataSet(name, root, Classes(names, palette), splits, reader, (*notes, *split_notes))


def _label_table(by_id: dict[int, tuple[str, Colour]]) -> tuple[int, ...]:
    """The label of each id, 0 to 255, in the order of the ids; void for those that are no class."""
    labels = {number: label for label, number in enumerate(sorted(by_id))}
    void = dict.fromkeys((*range(_IDS), VOID), VOID)
    return tuple((void | labels).get(number, ILLEGAL) for number in range(256))


def _files_by_name(folder: Path, ending: str) -> dict[str, Path]:
    return {path.name.removesuffix(ending): path for path in folder.rglob(f"*{ending}")}


read_all = partial(read, every=True)
