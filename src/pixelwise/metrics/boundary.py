"""Agreement of outlines: IoU of the pixels near them, and the share of either outline that is near
the other.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Labels, find_edges
from pixelwise.metrics.confusion import Counts, Figures, json_number, nan_mean, safe_divide

# Share of the image's diagonal that boundary IoU counts as near an outline (Cheng et al. 2021,
# section 4).
IOU_WIDTH = 0.02

# Share of the image's diagonal that an outline may be off in boundary F (Csurka et al. 2013,
# section 4).
F_WIDTH = 0.0075

# Classes whose outlines are widened in one pass, one bit of an integer each.
_CLASSES_AT_ONCE = 64

Number = TypeVar("Number", bound=np.generic)


class BoundaryScores:
    """Boundary IoU and boundary F by class, pooled over images. Distances are steps in rows,
    columns and diagonals.

    Widths are shares of each image's diagonal, at least one pixel. What is void in the truth is
    taken out of truth and prediction, and the edge along it is an outline of both. The image's
    border is an outline for boundary IoU alone.

    Sources: boundary IoU is equation 2 of Cheng, Girshick, Dollár, Berg, Kirillov, CVPR 2021, with
    distances as in the authors' code. F is 2 P R / (P + R) of the share P of the predicted outline
    that is near the true one, and the share R of the true outline that is near the predicted one
    (Csurka, Larlus, Perronnin, BMVC 2013).
    """

    def __init__(
        self, classes: int, *, iou_width: float = IOU_WIDTH, f_width: float = F_WIDTH
    ) -> None:
        self.iou_width = iou_width
        self.f_width = f_width
        self._classes = classes
        self._rims: Counts = np.zeros((2, classes), np.int64)  # in both, in either
        # of the predicted, of the true outline
        self._hits: Counts = np.zeros((2, classes), np.int64)
        self._outlines: Counts = np.zeros((2, classes), np.int64)

    def update(self, truth: Labels, labels: Labels) -> None:
        """Count one image: true and predicted class ids (H, W) uint8, void 255."""
        labels = np.where(truth == VOID, VOID, labels).astype(np.uint8)
        diagonal = float(np.hypot(*truth.shape))
        width = max(1, round(self.iou_width * diagonal))
        true_rim = _rim(truth, width)
        predicted_rim = _rim(labels, width)
        intersection = self._by_class(truth[true_rim & predicted_rim & (truth == labels)])
        either = self._by_class(truth[true_rim]) + self._by_class(labels[predicted_rim])
        self._rims += intersection, either - intersection
        self._count_outlines(truth, labels, max(1, round(self.f_width * diagonal)))

    def merge(self, other: "BoundaryScores") -> None:
        """Add the images of `other`, counted with the same widths."""
        self._rims += other._rims
        self._hits += other._hits
        self._outlines += other._outlines

    @property
    def iou(self) -> Figures:
        """Boundary IoU by class; NaN where a class is in neither truth nor prediction."""
        return safe_divide(*self._rims)

    @property
    def f(self) -> Figures:
        """Boundary F by class; NaN where neither truth nor prediction has an outline of the
        class.
        """
        shares = np.nan_to_num(safe_divide(self._hits, self._outlines))  # precision, recall
        scores = np.nan_to_num(safe_divide(2 * shares.prod(0), shares.sum(0)))
        return np.where(self._outlines.any(0), scores, np.nan)

    def as_dict(self, names: tuple[str, ...]) -> dict[str, object]:
        """Everything as JSON values; by-class figures are keyed by name, null where the class has
        none.
        """
        result: dict[str, object] = {}
        for key, values, width in (
            ("boundary_iou", self.iou, self.iou_width),
            ("boundary_f", self.f, self.f_width),
        ):
            result[key] = dict(zip(names, map(json_number, values), strict=True))
            result[f"mean_{key}"] = json_number(nan_mean(values))
            result[f"{key}_width"] = width
        return result

    def _count_outlines(self, truth: Labels, labels: Labels, reach: int) -> None:
        outlines = [
            np.where(find_edges(ids), ids, VOID).astype(np.uint8) for ids in (labels, truth)
        ]
        for first in range(0, self._classes, _CLASSES_AT_ONCE):
            bit_of = _bits_of_classes(first, min(first + _CLASSES_AT_ONCE, self._classes))
            bits = [bit_of[ids] for ids in outlines]
            for side, ids in enumerate(outlines):
                around = reduce_window(bits[1 - side], reach, np.bitwise_or)
                near = (bits[side] & around) != 0
                self._hits[side] += self._by_class(ids[near])
        self._outlines += np.stack([self._by_class(ids) for ids in outlines])

    def _by_class(self, ids: Labels) -> Counts:
        return np.bincount(ids.reshape(-1), minlength=256)[: self._classes]


def reduce_window(values: NDArray[Number], reach: int, join: np.ufunc) -> NDArray[Number]:
    """`join` (maximum, minimum or bitwise_or) over the square of 2 `reach` + 1 pixels around each
    pixel of (H, W).

    Beyond the frame there is nothing. Windows of windows: the time grows with the logarithm of
    `reach`, a seventh of that of scipy.ndimage.maximum_filter, which takes one axis's pixels one by
    one (480 x 640, reach 16), and bits are joined as well.
    """
    for axis in (0, 1):
        values = np.moveaxis(values, axis, 0)
        # an edge that stands twice changes no such join
        values = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
        span = 1
        while span < 2 * reach + 1:
            step = min(span, 2 * reach + 1 - span)
            values = join(values[:-step], values[step:])
            span = span + step
        values = np.moveaxis(values, 0, axis)
    return values


def near_border(labels: Labels, reach: int) -> NDArray[np.bool_]:
    """(H, W): whether another label, void too, lies within `reach` pixels; the image's frame is
    none.
    """
    highest = reduce_window(labels, reach, np.maximum)
    lowest = reduce_window(labels, reach, np.minimum)
    differ: NDArray[np.bool_] = highest != lowest
    return differ


def _bits_of_classes(start: int, stop: int) -> NDArray[Any]:
    """By label, 0 to 255: a bit for each class from `start` to before `stop`, none for others."""
    bits = np.zeros(256, np.uint64)
    bits[start:stop] = np.uint64(1) << np.arange(stop - start, dtype=np.uint64)
    return bits.astype(np.min_scalar_type(int(bits.max())))


def _rim(labels: Labels, reach: int) -> NDArray[np.bool_]:
    """(H, W): whether another label or the outside of the image lies within `reach` pixels."""
    rim = near_border(labels, reach)
    rim[:reach] = True
    rim[-reach:] = True
    rim[:, :reach] = True
    rim[:, -reach:] = True
    return rim
