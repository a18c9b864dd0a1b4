"""The connected objects of each mask: a table of all, one of their numbers, and beside each mask a
map of their ids.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.errors import unknown_choice_error
from pixelwise.inference.areas import WriteRows, continue_table
from pixelwise.inference.object_masks import MAX_IN_PNG, open_mask
from pixelwise.inference.object_polygons import write_object_polygons
from pixelwise.inference.object_strips import ObjectFinder
from pixelwise.inference.object_sums import Objects, ObjectSums
from pixelwise.inference.pixel_size import PixelSize
from pixelwise.metrics.count_interval import CountInterval

COLUMNS = (
    "mask",
    "object",
    "class",
    "pixels",
    "area",
    "row",
    "column",
    "top",
    "left",
    "bottom",
    "right",
    "perimeter",
    "major_axis",
    "minor_axis",
    "orientation",
    "length",
    "width",
    "unit",
    "square_metres",
    "confidence",
    "touches_border",
)
COUNT_COLUMNS = ("mask", "class", "objects", "low", "high")
# Names of the class that objects stand on.
BACKGROUND = frozenset({"background", "_background_", "bg", "ground"})

PIXELS = PixelSize(1.0, "px")

TABLE = "objects.csv"
COUNT_TABLE = "object_counts.csv"


@dataclass(frozen=True)
class ObjectRules:
    """What is an object, and in which unit it is measured.

    split: part those that touch. thin: classes that are measured along their middle line and never
    parted. intervals: by class, how far numbers may be from the truth.
    """

    size: PixelSize = PIXELS
    split: bool = False
    thin: Sequence[str] = ()
    intervals: Mapping[str, CountInterval] = field(default_factory=dict)


def write_objects(
    folder: Path,
    masks: Iterable[Path],
    names: tuple[str, ...],
    rules: ObjectRules | None = None,
    *,
    log: Callable[[str], None] = lambda _: None,
) -> str:
    """Write objects.csv with a line for each object in each of `masks`, PNG or TIFF files of class
    ids in the folder or beneath it, object_counts.csv with their number in each mask, a map of
    their ids beside each mask, and of rasters with a place their outlines as GeoJSON. Returns how
    many there are of each class, as a line.

    Lengths and areas are in the unit of the rules; rows, columns and boxes in pixels. Confidence is
    that of the file beside the mask, where there is one. Void and a class called background are no
    objects. Rows of other masks that still exist stay, in front. Raises ImageError for a mask that
    cannot be read, ConfigError for an unknown class and without scikit-image where it is needed.
    """
    rules = rules or ObjectRules()
    finder = ObjectFinder(object_classes(names), find_thin(names, rules.thin), rules.split)
    masks = list(masks)
    counts = dict[str, Counter[str]]()
    with continue_table(folder / TABLE, masks, COLUMNS) as (write_rows, names_of_masks):
        for mask, name in names_of_masks.items():
            counts[name] = _write_mask(mask, finder, names, rules, write_rows, name, log)
    of_objects = [names[label] for label in np.flatnonzero(finder.classes)]
    with continue_table(folder / COUNT_TABLE, masks, COUNT_COLUMNS) as (write_rows, _):
        for name, count in counts.items():
            write_rows(
                (name, label, count[label], *_interval(rules, label, [count[label]]))
                for label in of_objects
            )
    return describe_objects(list(counts.values()), rules)


def describe_objects(counts: Sequence[Counter[str]], rules: ObjectRules) -> str:
    """How many objects the images have together, most first, with the interval of the truth where
    it is known: `cell 132 (95 %: 128 to 141), debris 4`.
    """
    total = sum(counts, Counter[str]())
    parts = []
    for name, count in total.most_common():
        low, high = _interval(rules, name, [own[name] for own in counts])
        interval = "" if low == "" else f" (95 %: {low} to {high})"
        parts.append(f"{name} {count}{interval}")
    return ", ".join(parts) or "none"


def _interval(rules: ObjectRules, name: str, counts: Sequence[int]) -> tuple[object, object]:
    interval = rules.intervals.get(name)
    return ("", "") if interval is None else interval.of(np.array(counts))


def find_thin(names: Sequence[str], thin: Sequence[str]) -> NDArray[np.bool_]:
    """(256,) which labels are of the classes `thin`. Raises ConfigError for an unknown one."""
    labels = np.zeros(256, bool)
    for name in thin:
        if name not in names:
            raise unknown_choice_error("class", name, names)
        labels[names.index(name)] = True
    return labels


def object_classes(names: Sequence[str]) -> NDArray[np.bool_]:
    """(256,) which labels are of objects: neither void nor a class called background."""
    classes = np.zeros(256, bool)
    for label, name in enumerate(names):
        classes[label] = label != VOID and name.casefold() not in BACKGROUND
    return classes


def _row(objects: Objects, index: int, names: Sequence[str], size: PixelSize) -> tuple[object, ...]:
    """The columns of one object behind its mask."""
    scale = size.length
    metres = objects.square_metres[index]
    confidence = objects.confidence[index]
    length = objects.length[index]
    is_line = length > 0  # not where it is unknown
    return (
        index + 1,
        names[objects.label[index]],
        objects.pixels[index],
        f"{objects.pixels[index] * scale**2:.6g}",
        f"{objects.row[index]:.2f}",
        f"{objects.column[index]:.2f}",
        *objects.box[index].tolist(),
        f"{objects.perimeter[index] * scale:.6g}",
        f"{objects.major_axis[index] * scale:.6g}",
        f"{objects.minor_axis[index] * scale:.6g}",
        f"{objects.orientation[index]:.1f}",
        f"{length * scale:.6g}" if is_line else "",
        f"{objects.pixels[index] / length * scale:.6g}" if is_line else "",
        size.unit,
        "" if math.isnan(metres) else f"{metres:.3f}",
        "" if math.isnan(confidence) else f"{confidence:.4f}",
        "yes" if objects.touches_border[index] else "no",
    )


def _write_mask(
    mask: Path,
    finder: ObjectFinder,
    names: Sequence[str],
    rules: ObjectRules,
    write_rows: WriteRows,
    name: str,
    log: Callable[[str], None],
) -> Counter[str]:
    """The rows of one mask, its map and its outlines; how many objects it has of each class."""
    with ExitStack() as stack:
        file = open_mask(mask, stack)
        sums = ObjectSums(file.width, file.height)
        for strip in finder.strips(file):
            bottom = strip.top + len(strip.labels)
            sums.add(
                strip.labels,
                strip.ids,
                confidence=file.confidence(strip.top, bottom),
                areas=None if file.areas is None else file.areas.of_rows(strip.top, bottom),
                keys=strip.keys,
                lengths=strip.lengths,
            )
        objects, numbers = sums.finish()
        again = zip(finder.strips(file), numbers, strict=True)
        object_map = file.write_map((part[strip.ids] for strip, part in again), len(objects))
        has_place = file.has_place
        if file.areas is not None and rules.size.unit != PIXELS.unit:
            log(
                f"{name}: lies on the earth, where pixels have sizes of their own: square_metres "
                f"is by these, all other figures by the pixel size of {rules.size.length:g} "
                f"{rules.size.unit} that was given"
            )
    if len(objects) > MAX_IN_PNG and mask.suffix != object_map.suffix:
        log(
            f"{name}: {len(objects):,} objects are more than 16 bits can number; their map is "
            f"{object_map.name}, of 32 bits"
        )
    row_of = partial(_row, objects, names=names, size=rules.size)
    write_rows((name, *row_of(index)) for index in range(len(objects)))
    if has_place:
        write_object_polygons(
            object_map,
            object_map.with_suffix(".geojson"),
            objects.box[:, 2],
            lambda number: _as_properties(row_of(number - 1)),
        )
    return Counter(names[label] for label in objects.label)


def _as_properties(row: Sequence[object]) -> dict[str, object]:
    """A row of the table with its numbers as numbers, without what is not known."""
    properties = dict[str, object]()
    for name, value in zip(COLUMNS[1:], row, strict=True):
        if name in ("class", "unit", "touches_border"):
            properties[name] = value
        elif value != "":
            number = float(str(value))
            properties[name] = int(number) if number.is_integer() else number
    return properties
