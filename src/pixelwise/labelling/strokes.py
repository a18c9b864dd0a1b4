"""A stroke: what a person painted on a photo, as the journal holds it."""

import base64
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.classes import VOID, Labels
from pixelwise.errors import DataError
from pixelwise.labelling.rasterise import Area, Box, Point, brush_cost, draw_brush, draw_polygon

# In the labels of a photo: nobody has said anything of the pixel. On disk it is void too.
UNLABELLED = 254
MAX_CLASSES = UNLABELLED

DRAWN = ("brush", "polygon")
"""Tools whose strokes are points."""
COMPUTED = ("fill", "smart", "take", "accept", "import")
"""Tools whose strokes are pixels, as they follow from a prediction that will be another one."""

MAX_POINTS = 20_000
MAX_RADIUS = 2_000.0
# Pixels that a brush may look at: a second of work. Pages thin their points out, and stay below.
_MAX_COST = 300_000_000


@dataclass(frozen=True, eq=False)
class Patch:
    """Labels of a window: class keys, void, or UNLABELLED where it leaves a pixel as it is."""

    box: Box
    labels: Labels

    @classmethod
    def of_area(cls, area: Area, label: int) -> "Patch":
        """One label for all pixels of an area."""
        return cls(area.box, np.where(area.covered, label, UNLABELLED).astype(np.uint8))

    def to_json(self) -> dict[str, Any]:
        """As the journal holds it."""
        box = self.box
        data = base64.b64encode(zlib.compress(self.labels.tobytes(), 6)).decode()
        return {"box": [box.top, box.left, box.height, box.width], "labels": data}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Patch":
        """Of a line of the journal. Raises ValueError where its sizes do not fit."""
        box = Box(*map(int, entry["box"]))
        data = zlib.decompress(base64.b64decode(entry["labels"]))
        return cls(box, np.frombuffer(data, np.uint8).reshape(box.height, box.width))


@dataclass(frozen=True, eq=False)
class Stroke:
    """One act of a tool on a photo, which undo takes back as a whole.

    label: a class key, VOID, or UNLABELLED, with which it erases. `patch` belongs to the tools of
    COMPUTED, `points` and `radius` (of the brush, in pixels) to those of DRAWN.
    """

    tool: str
    label: int
    points: tuple[Point, ...] = ()
    radius: float = 0.0
    patch: Patch | None = None

    def area(self, size: tuple[int, int]) -> Area:
        """The pixels that it covers in a photo of `size` (height, width)."""
        if self.patch is not None:
            return Area(self.patch.box, self.patch.labels != UNLABELLED)
        if self.tool == "polygon":
            return draw_polygon(self.points, size)
        return draw_brush(self.points, self.radius, size)

    def paint(self, labels: Labels) -> Box:
        """Put it into the labels of its photo, (H, W); returns the window that it may have
        changed.
        """
        area = self.area((labels.shape[0], labels.shape[1]))
        window = labels[area.box.window]
        if self.patch is not None:
            np.copyto(window, self.patch.labels, where=area.covered)
        else:
            window[area.covered] = self.label
        return area.box

    def to_json(self) -> dict[str, Any]:
        """As the journal holds it."""
        entry: dict[str, Any] = {"tool": self.tool, "label": self.label}
        if self.patch is not None:
            return entry | self.patch.to_json()
        return entry | {"points": [list(point) for point in self.points], "radius": self.radius}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Stroke":
        """Of a line of the journal."""
        if entry["tool"] in COMPUTED:
            return cls(entry["tool"], int(entry["label"]), patch=Patch.from_json(entry))
        points = tuple((float(x), float(y)) for x, y in entry["points"])
        return cls(entry["tool"], int(entry["label"]), points, float(entry["radius"]))


def check_points(points: Any, radius: Any, size: tuple[int, int]) -> tuple[Point, ...]:
    """The points of a request, of a brush of `radius`, on a photo of `size` (height, width).

    Raises DataError for numbers that are none, places outside of the photo, and more of them than
    a hand draws.
    """
    if not isinstance(points, list) or not points:
        raise DataError("a stroke needs at least one point: points is a list of [column, row]")
    if len(points) > MAX_POINTS:
        raise DataError(
            f"the stroke has {len(points)} points: at most {MAX_POINTS} are allowed; draw it in "
            "parts"
        )
    if not _is_number(radius) or not 0 <= radius <= MAX_RADIUS:
        raise DataError(f"radius is {radius!r}: allowed is a number from 0 to {MAX_RADIUS:g}")
    height, width = size
    checked = list[Point]()
    for point in points:
        is_pair = isinstance(point, list | tuple) and len(point) == 2
        x, y = point if is_pair else (math.nan, math.nan)
        is_inside = _is_number(x) and _is_number(y) and 0 <= x <= width and 0 <= y <= height
        if not is_inside:
            raise DataError(
                f"the point {str(point)[:60]} is none of the photo: columns go from 0 to {width}, "
                f"rows from 0 to {height}"
            )
        checked.append((float(x), float(y)))
    if brush_cost(checked, float(radius)) > _MAX_COST:
        raise DataError("the stroke is too long for so wide a brush: draw it in parts")
    return tuple(checked)


def check_label(label: Any, known: Mapping[int, object]) -> int:
    """A class key of a request, VOID or UNLABELLED. Raises DataError for any other."""
    if type(label) is int and (label in known or label in (VOID, UNLABELLED)):
        return label
    raise DataError(
        f"label is {str(label)[:40]}: there is no such class; load the page again to have the "
        "classes as they are"
    )


def _is_number(value: Any) -> bool:
    is_plain = isinstance(value, int | float) and not isinstance(value, bool)
    return is_plain and math.isfinite(value)
