"""From a request of the page to a stroke: what the person pointed at, and what the prediction says
there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.classes import Labels
from pixelwise.errors import DataError, unknown_choice_error
from pixelwise.labelling.rasterise import Area, Box, draw_brush
from pixelwise.labelling.strokes import (
    UNLABELLED,
    Patch,
    Stroke,
    check_label,
    check_points,
)


class Canvas(Protocol):
    """The photo in hand, as a tool sees it."""

    @property
    def labels(self) -> Labels:
        """What is labelled, (H, W); not to be changed."""

    @property
    def names(self) -> Mapping[int, str]:
        """The classes by key."""

    def predict(self, box: Box) -> Labels:
        """The predicted class keys of a window. Raises DataError while there are none."""


@dataclass(frozen=True)
class Pointing:
    """Where a tool was used: points (column, row) on a photo of `size`, and what is to be there."""

    size: tuple[int, int]
    points: tuple[tuple[float, float], ...]
    radius: float
    label: int


def make_stroke(request: Mapping[str, Any], canvas: Canvas) -> Stroke:
    """The stroke that a request asks for. Raises DataError for one that cannot be."""
    tool = request.get("tool")
    height, width = canvas.labels.shape
    if tool == "accept":
        return _take_over("accept", canvas, Box(0, 0, height, width))
    if not isinstance(tool, str) or tool not in TOOLS:
        raise unknown_choice_error("tool", str(tool)[:40], (*TOOLS, "accept"))
    radius = request.get("radius", 0)
    points = check_points(request.get("points"), radius, (height, width))
    label = UNLABELLED if tool == "take" else check_label(request.get("label"), canvas.names)
    return TOOLS[tool](canvas, Pointing((height, width), points, float(radius), label), request)


def _brush(_: Canvas, at: Pointing, __: Mapping[str, Any]) -> Stroke:
    return Stroke("brush", at.label, at.points, at.radius)


def _polygon(_: Canvas, at: Pointing, __: Mapping[str, Any]) -> Stroke:
    if len(at.points) < 3:
        raise DataError("a polygon needs three corners at least")
    return Stroke("polygon", at.label, at.points)


def _smart(canvas: Canvas, at: Pointing, _: Mapping[str, Any]) -> Stroke:
    """The part of a brush stroke on which the prediction is what it is where the stroke began."""
    area = draw_brush(at.points, at.radius, at.size)
    predicted = canvas.predict(area.box)
    row, column = _pixel(at)
    begun = predicted[row - area.box.top, column - area.box.left]
    return _as_patch("smart", Area(area.box, area.covered & (predicted == begun)), at.label)


def _fill(canvas: Canvas, at: Pointing, request: Mapping[str, Any]) -> Stroke:
    """The connected region around the point, of the prediction or of what is labelled."""
    of = request.get("of", "prediction")
    if of not in ("prediction", "labels"):
        raise unknown_choice_error("region to fill", str(of)[:40], ("prediction", "labels"))
    whole = Box(0, 0, *at.size)
    values = canvas.predict(whole) if of == "prediction" else canvas.labels
    row, column = _pixel(at)
    return _as_patch("fill", _connected(values, row, column), at.label)


def _take(canvas: Canvas, at: Pointing, _: Mapping[str, Any]) -> Stroke:
    """The prediction in the rectangle of two corners, where nothing is labelled."""
    if len(at.points) != 2:
        raise DataError("a rectangle has two corners: give two points")
    (x, y), (other_x, other_y) = at.points
    top = min(int(min(y, other_y)), at.size[0] - 1)
    left = min(int(min(x, other_x)), at.size[1] - 1)
    bottom = max(int(np.ceil(max(y, other_y))), top + 1)
    right = max(int(np.ceil(max(x, other_x))), left + 1)
    return _take_over("take", canvas, Box(top, left, bottom - top, right - left))


def _take_over(tool: str, canvas: Canvas, box: Box) -> Stroke:
    predicted = canvas.predict(box)
    free = canvas.labels[box.window] == UNLABELLED
    patch = Patch(box, np.where(free, predicted, UNLABELLED).astype(np.uint8))
    if tool == "take" and not free.any():
        raise DataError("all of the rectangle is labelled already")
    return Stroke(tool, UNLABELLED, patch=patch)


TOOLS = {
    "brush": _brush,
    "polygon": _polygon,
    "smart": _smart,
    "fill": _fill,
    "take": _take,
}


def _as_patch(tool: str, area: Area, label: int) -> Stroke:
    if label == UNLABELLED:
        raise DataError(f"the eraser has no {tool}: choose a class or void, or erase by the brush")
    return Stroke(tool, label, patch=Patch.of_area(area, label))


def _pixel(at: Pointing) -> tuple[int, int]:
    """Row and column of the pixel of the first point."""
    x, y = at.points[0]
    return min(int(y), at.size[0] - 1), min(int(x), at.size[1] - 1)


def _connected(values: NDArray[np.uint8], row: int, column: int) -> Area:
    """The pixels that are joined to one by pixels of its own value, sides to sides."""
    regions, _ = ndimage.label(values == values[row, column])
    region = regions[row, column]
    rows, columns = ndimage.find_objects(regions, max_label=region)[region - 1]
    box = Box(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
    return Area(box, regions[rows, columns] == region)


def shrink_labels(labels: Labels, level: int, box: Box) -> Labels:
    """A window of labels at a level of the pyramid: where one of the pixels is labelled, so is the
    one that stands for them.
    """
    step = 2**level
    window = labels[
        box.top * step : (box.top + box.height) * step,
        box.left * step : (box.left + box.width) * step,
    ]
    shrunk = np.full((box.height, box.width), UNLABELLED, np.uint8)
    offsets = range(0, step, max(1, step // 4))
    for down in offsets:
        for across in offsets:
            part = window[down::step, across::step]
            target = shrunk[: part.shape[0], : part.shape[1]]
            np.copyto(target, part, where=target == UNLABELLED)
    return shrunk
