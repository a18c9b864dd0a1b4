"""ADE20K as in the scene parsing challenge: 150 classes, 0 is void.

Source: Zhou et al., Scene Parsing through ADE20K Dataset, 2017; the names are the
first of each line of its objectInfo150.txt.
"""

from pathlib import Path

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import encoding_of_reader
from pixelwise.datasets.mask_reader import ILLEGAL, LabelReader
from pixelwise.datasets.pairing import pair_folders
from pixelwise.datasets.splits import named_splits
from pixelwise.datasets.types import DataOptions, Pair
from pixelwise.errors import DataError

LAYOUT = (
    "images/training and annotations/training in ADEChallengeData2016/, which has "
    "objectInfo150.txt (ADE20K)"
)
_FOLDER = "ADEChallengeData2016"
_NAMES = """
wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person,
earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea,
mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion,
base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace,
refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen door, stairway,
river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop, stove,
palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light,
truck, tower, chandelier, awning, streetlight, booth, television, airplane, dirt track, apparel,
pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain,
conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall, tent,
bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal, bicycle,
lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan,
pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag
"""


def matches(root: Path) -> bool:
    """Whether the challenge's folders stand at `root` or at most two folders deeper."""
    return _base(root) is not None


def _base(root: Path) -> Path | None:
    inner = (path for path in (*root.glob("*"), *root.glob(f"*/{_FOLDER}")) if path.is_dir())
    for base in (root, root / _FOLDER, *sorted(inner)):
        known = base.name == _FOLDER or (base / "objectInfo150.txt").is_file()
        if known and (base / "images").is_dir() and (base / "annotations").is_dir():
            return base
    return None


def index(root: Path, options: DataOptions) -> Index:
    """The files of ADE20K, with the issues of `pair_folders`. Raises DataError for another
    layout.
    """
    base = _base(root)
    if base is None:
        raise DataError(f"{root}: not ADE20K; it needs {LAYOUT}")
    notes = [
        "format ade20k: images and annotations; 150 classes in the order of objectInfo150.txt, 0 "
        "is void"
    ]
    named, issues = named_splits(base / "images")
    splits: dict[str, tuple[Pair, ...]] = {}
    folders = []
    for split, images in named:
        masks = base / "annotations" / images.name
        if not masks.is_dir():
            text = f"there is no annotations/{images.name}/"
            issues.append(Issue("split-without-masks", images, text))
            notes.append(f"{images.name}: left out, as {text}")
            continue
        pairing = pair_folders(images, masks, options)
        splits.setdefault(split, pairing.pairs)
        issues += pairing.issues
        notes += pairing.notes
        folders += [images, masks]
    names = tuple(name.strip() for name in _NAMES.replace("\n", " ").split(","))
    classes = Classes.named(names)
    lut = (VOID, *range(len(names)), *[ILLEGAL] * (255 - len(names)))  # by id, 0 to 255
    reader = LabelReader(len(names), lut)
    evidence = "150 classes, 0 is void"
    return Index(
        "ade20k",
        root,
        splits,
        tuple(issues),
        tuple(notes),
        classes,
        reader,
        encoding_of_reader(reader, classes, kind="ADE20K ids", evidence=evidence),
        folders=tuple(folders),
    )
