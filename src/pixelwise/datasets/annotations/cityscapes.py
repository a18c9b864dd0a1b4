"""Cityscapes: street scenes with label ids, as the 19 classes that are scored or as all.

Source: Cordts et al., The Cityscapes Dataset, 2016; names, ids and colours as in its published
label table.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from pixelwise.classes import VOID, Classes, Colour
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import encoding_of_reader
from pixelwise.datasets.mask_reader import ILLEGAL, LabelReader
from pixelwise.datasets.pairing import Pairing
from pixelwise.datasets.splits import named_splits
from pixelwise.datasets.types import DataOptions, Pair, first
from pixelwise.errors import DataError
from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.text import list_files

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


# Images that have coarse labels alone: trained on where no others are.
_EXTRA = "train_extra"
_LABEL_IDS = "labelIds"
_TRAIN_IDS = "labelTrainIds"
# The fine labels go first.
_TRUTHS = ("gtFine", "gtCoarse")


def matches(root: Path) -> bool:
    """Whether the official folders stand at `root`."""
    return (root / "leftImg8bit").is_dir() and any((root / name).is_dir() for name in _TRUTHS)


def index(root: Path, options: DataOptions, *, every: bool = False) -> Index:
    """The files of Cityscapes: 19 classes, or with `every` the 30 that are not void by nature. The
    test split, whose labels are withheld, is left out; so is train_extra beside train.

    Issues are images without labels and labels without image, which training refuses unless
    `skip_unpaired`. Raises DataError for another layout.
    """
    if not matches(root):
        raise DataError(f"{root}: not Cityscapes; it needs {LAYOUT}")
    by_id = SCORED | OTHERS if every else SCORED
    form = _find_form(root, every=every)
    kinds: list[str] = []
    issues: list[Issue] = []
    notes: list[str] = []
    splits: dict[str, tuple[Pair, ...]] = {}
    for split, folder in _find_splits(root, issues, notes):
        truth = next((name for name in _TRUTHS if (root / name / folder.name).is_dir()), "")
        if split == "test" or not truth:
            text = "its labels are withheld" if split == "test" else "it has no labels"
            issues.append(Issue("split-without-masks", folder, text))
            notes.append(f"{folder.name}: left out, as {text}")
            continue
        kinds.append(truth)
        ending = f"_{truth}_{form}"
        pairing = _pair_names(folder, root / truth / folder.name, ending, options)
        splits[split] = pairing.pairs
        issues += pairing.issues
        notes += pairing.notes
    names, palette = zip(*(by_id[number] for number in sorted(by_id)), strict=True)
    classes = Classes(names, palette)
    reader = LabelReader(len(names), _train_table() if form == _TRAIN_IDS else _label_table(by_id))
    truths = " and ".join(name for name in _TRUTHS if name in kinds)
    head = (
        f"format cityscapes: leftImg8bit and {truths} ({form}); {len(by_id)} classes in the order "
        "of their ids, all other ids are void"
    )
    evidence = f"{len(by_id)} classes, all other ids are void"
    return Index(
        "cityscapes-all" if every else "cityscapes",
        root,
        splits,
        tuple(issues),
        (head, *notes),
        classes,
        reader,
        encoding_of_reader(reader, classes, kind=f"Cityscapes {form}", evidence=evidence),
    )


def _find_splits(root: Path, issues: list[Issue], notes: list[str]) -> list[tuple[str, Path]]:
    """Folders of images by split; that of coarse labels alone is train where no other is."""
    named, split_issues = named_splits(root / "leftImg8bit")
    issues += split_issues
    extra = root / "leftImg8bit" / _EXTRA
    if not extra.is_dir():
        return named
    if all(split != "train" for split, _ in named):
        return [*named, ("train", extra)]
    text = "is not read, as train has better labels: it has coarse ones alone"
    issues.append(Issue("subfolder-ignored", extra, text, severity="note"))
    notes.append(f"{_EXTRA}: {text}")
    return named


def _find_form(root: Path, *, every: bool) -> str:
    """What the masks hold: label ids, or where there are none the ids that a training counts by."""
    for form in (_LABEL_IDS, _TRAIN_IDS):
        if any(next((root / name).rglob(f"*_{form}.png"), None) for name in _TRUTHS):
            if form == _TRAIN_IDS and every:
                raise DataError(
                    f"{root}: holds {_TRAIN_IDS} alone, which have no class beside the 19; choose "
                    "cityscapes, or create the labelIds"
                )
            return form
    return _LABEL_IDS


def _pair_names(images_in: Path, masks_in: Path, ending: str, options: DataOptions) -> Pairing:
    """Pairs of a split by what stands before the endings of Cityscapes."""
    images = _files_by_name(images_in, IMAGE_SUFFIXES, "_leftImg8bit")
    masks = _files_by_name(masks_in, (".png",), ending)
    unpaired = sorted(images.keys() ^ masks.keys())
    refusal = ""
    if unpaired and not options.skip_unpaired:
        refusal = (
            f"{images_in}: {len(unpaired)} images without labels or labels without image: "
            f"{first(unpaired)}; add them, or leave them out with --skip-unpaired"
        )
    issues = []
    for name in unpaired:
        if name in images:
            text = f"there is no {name}{ending}.png"
            issues.append(Issue("image-without-mask", images[name], text, refusal=refusal))
        else:
            text = f"there is no {name}_leftImg8bit.png"
            issues.append(Issue("mask-without-image", masks[name], text, refusal=refusal))
    paired = sorted(images.keys() & masks.keys())
    if not paired:
        refusal = refusal or f"{images_in}: no image has labels; it needs {LAYOUT}"
        issues.append(Issue("split-empty", images_in, "no image has labels", refusal=refusal))
    notes = (f"left out in {images_in.name}: {first(unpaired)}",) if unpaired else ()
    pairs = tuple(Pair(name, images[name], masks[name]) for name in paired)
    return Pairing(pairs, tuple(issues), notes)


def _label_table(by_id: dict[int, tuple[str, Colour]]) -> tuple[int, ...]:
    """The label of each id, 0 to 255, in the order of the ids; void for those that are no class."""
    labels = {number: label for label, number in enumerate(sorted(by_id))}
    void = dict.fromkeys((*range(_IDS), VOID), VOID)
    return tuple((void | labels).get(number, ILLEGAL) for number in range(256))


def _train_table() -> tuple[int, ...]:
    """The label of each id of labelTrainIds, which has the 19 classes in the same order."""
    void = (ILLEGAL,) * (VOID - len(SCORED))
    return (*range(len(SCORED)), *void, VOID)


def _files_by_name(folder: Path, suffixes: Iterable[str], ending: str) -> dict[str, Path]:
    """Files at any depth by what stands before the ending of their stems."""
    folders = [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]
    files = [path for inner in folders for path in list_files(inner, suffixes)]
    return {path.stem.removesuffix(ending): path for path in files if path.stem.endswith(ending)}


index_all = partial(index, every=True)
