"""One label file of YOLO: a polygon a line, `class x y x y ...` in parts of the image's width and
height.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.errors import DataError
from pixelwise.io.text import read_text

_SEPARATORS = re.compile(r"[,;]")
_DECIMAL_COMMA = re.compile(r"(?:^|[\s;])(-?\d+,\d+)(?=[\s;]|$)")
# Numbers after the class of a box: centre and size, and the confidence of a prediction.
_BOX = (4, 5)
# Coordinates beyond this are pixels: no shape lies a whole image beside its image.
_MAX_PART = 2
# Parts of an image by which rounding puts a corner outside.
_TOLERANCE = 1e-3


@dataclass
class LabelFile:
    """What a label file holds, but for the coordinates: of each class the first line, the lines of
    boxes, (line, column, reason) of each line that is neither, and whether a polygon reaches out
    of the image.
    """

    path: Path
    labels: dict[int, int] = field(default_factory=dict)
    boxes: list[int] = field(default_factory=list)
    faults: list[tuple[int, int, str]] = field(default_factory=list)
    reaches_out: bool = False


Polygon = tuple[int, list[float]]
"""Class and x0, y0, x1, y1, ... in 0..1."""


def read_label_file(path: Path) -> tuple[LabelFile, list[Polygon]]:
    """The contents of a label file, and its polygons. A file that is no text has one fault, at
    line 1.
    """
    content = LabelFile(path)
    polygons: list[Polygon] = []
    try:
        lines = read_text(path).splitlines()
    except DataError as error:
        content.faults.append((1, 1, error.reason))
        return content, polygons
    for number, line in enumerate(lines, 1):
        words = split_line(line)
        if not words:
            continue
        try:
            _check_decimal_points(line)
            label, coordinates = _parse_numbers(words)
        except DataError as error:
            content.faults.append((number, 1, error.reason))
            continue
        if len(coordinates) in _BOX:
            content.boxes.append(number)
            continue
        content.labels.setdefault(label, number)
        lowest = min(coordinates)
        highest = max(coordinates)
        content.reaches_out |= lowest < -_TOLERANCE or highest > 1 + _TOLERANCE
        polygons.append((label, coordinates))
    return content, polygons


def split_line(line: str) -> list[str]:
    """The numbers of a line, without a comment at its end."""
    return _SEPARATORS.sub(" ", line.partition("#")[0]).split()


def holds_labels(path: Path) -> bool | None:
    """Whether the first line of a text file is a box or a polygon; None for a file without one."""
    try:
        lines = read_text(path).splitlines()
    except (DataError, OSError):
        return False
    words = next(filter(None, map(split_line, lines)), None)
    return None if words is None else len(words) > min(_BOX) and _first_odd_word(words) is None


def _first_odd_word(words: list[str]) -> str | None:
    """The first word that is no finite number."""
    for word in words:
        try:
            number = float(word)
        except ValueError:
            return word
        if not math.isfinite(number):
            return word
    return None


def _check_decimal_points(line: str) -> None:
    """Raises DataError for numbers as 0,5, where commas do not part the numbers."""
    match = _DECIMAL_COMMA.search(line)
    if match and "." not in line:
        number = match[1]
        point = number.replace(",", ".")
        raise DataError(f"'{number}' has a decimal comma; write a point: {point}")


def _parse_numbers(words: list[str]) -> tuple[int, list[float]]:
    """Class and coordinates. Raises DataError for what is neither a polygon nor a box."""
    odd = _first_odd_word(words)
    if odd is not None:
        raise DataError(f"'{odd}' is no number; allowed are a class number and coordinates")
    label, *coordinates = map(float, words)
    if label != int(label):
        raise DataError(f"class {words[0]}; allowed are whole numbers, as the names have them")
    count = len(coordinates)
    if count not in _BOX and (count < 6 or count % 2):
        raise DataError(f"{count} coordinates; a polygon has x and y of three corners or more")
    largest = max(coordinates, key=abs)
    if abs(largest) > _MAX_PART:
        raise DataError(
            f"coordinate {largest:g}, in pixels; allowed are 0 to 1, parts of width and height"
        )
    return int(label), coordinates
