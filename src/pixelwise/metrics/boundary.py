"""Agreement of outlines: IoU of the pixels near them, and the share of either outline that is near
the other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Labels, find_edges, reduce_window
from pixelwise.metrics.confusion import Counts, Figures, json_number, nan_mean, safe_divide

# Share of the image's diagonal that boundary IoU counts as near an outline (Cheng et al. 2021,
# section 4).
IOU_WIDTH = 0.02

# Share of the image's diagonal that an outline may be off in boundary F (Csurka et al. 2013,
# section 4).
F_WIDTH = 0.0075

# Classes whose outlines are widened in one pass, one bit of an integer each.
_CLASSES_AT_ONCE = 64


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
        self,
        classes: int,
        *,
        iou_width: float = IOU_WIDTH,
        f_width: float = F_WIDTH,
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
        labels = np.where(truth == VOID, VOID, labels)
        labels = labels.astype(np.uint8)
        diagonal = float(np.hypot(*truth.shape))
        iou_reach = max(1, round(self.iou_width * diagonal))
        f_reach = max(1, round(self.f_width * diagonal))
        self._count_rims(truth, labels, iou_reach)
        self._count_outlines(truth, labels, f_reach)

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
        shares = safe_divide(self._hits, self._outlines)  # (2, C): precision, recall
        # one outline alone is a miss, not an absent class: 0
        shares = np.nan_to_num(shares)
        products = 2 * shares.prod(0)
        sums = shares.sum(0)
        scores = safe_divide(products, sums)
        scores = np.nan_to_num(scores)
        present = self._outlines.any(0)
        return np.where(present, scores, np.nan)

    def as_dict(self, names: tuple[str, ...]) -> dict[str, object]:
        """Everything as JSON values; by-class figures are keyed by name, null where the class has
        none.
        """
        result: dict[str, object] = {}
        figures = (
            ("boundary_iou", self.iou, self.iou_width),
            ("boundary_f", self.f, self.f_width),
        )
        for key, values, width in figures:
            numbers = map(json_number, values)
            result[key] = dict(zip(names, numbers, strict=True))
            result[f"mean_{key}"] = json_number(nan_mean(values))
            result[f"{key}_width"] = width
        return result

    def _count_rims(self, truth: Labels, labels: Labels, reach: int) -> None:
        true_rim = _rim(truth, reach)
        predicted_rim = _rim(labels, reach)
        agree = true_rim & predicted_rim & (truth == labels)
        intersection = self._by_class(truth[agree])
        true = self._by_class(truth[true_rim])
        predicted = self._by_class(labels[predicted_rim])
        union = true + predicted - intersection
        self._rims += intersection, union

    def _count_outlines(self, truth: Labels, labels: Labels, reach: int) -> None:
        predicted_outline = _outline(labels)
        true_outline = _outline(truth)
        for first in range(0, self._classes, _CLASSES_AT_ONCE):
            stop = min(first + _CLASSES_AT_ONCE, self._classes)
            bit_of = _bits_of_classes(first, stop)
            predicted_bits = bit_of[predicted_outline]
            true_bits = bit_of[true_outline]
            near_true = _shares_bit(predicted_bits, true_bits, reach)
            near_predicted = _shares_bit(true_bits, predicted_bits, reach)
            self._hits[0] += self._by_class(predicted_outline[near_true])
            self._hits[1] += self._by_class(true_outline[near_predicted])
        self._outlines[0] += self._by_class(predicted_outline)
        self._outlines[1] += self._by_class(true_outline)

    def _by_class(self, ids: Labels) -> Counts:
        flat = ids.reshape(-1)
        # all 256 values, so that void has a place, which is cut off with the slice
        counts = np.bincount(flat, minlength=256)
        return counts[: self._classes]


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
    positions = np.arange(stop - start, dtype=np.uint64)
    bits = np.zeros(256, np.uint64)
    bits[start:stop] = np.uint64(1) << positions
    # the narrowest type: few classes take an eighth of the memory that 64 take
    highest = int(bits.max())
    return bits.astype(np.min_scalar_type(highest))


def _outline(ids: Labels) -> Labels:
    """The ids on the pixels that border another label, void elsewhere."""
    edges = find_edges(ids)
    return np.where(edges, ids, VOID).astype(np.uint8)


def _shares_bit(bits: NDArray[Any], others: NDArray[Any], reach: int) -> NDArray[np.bool_]:
    """(H, W): whether a pixel has a bit that one of `others` within `reach` has as well."""
    around = reduce_window(others, reach, np.bitwise_or)
    shared: NDArray[np.bool_] = (bits & around) != 0
    return shared


def _rim(labels: Labels, reach: int) -> NDArray[np.bool_]:
    """(H, W): whether another label or the outside of the image lies within `reach` pixels."""
    rim = near_border(labels, reach)
    # beyond the image nothing is of the class (Cheng et al. 2021, the authors' code)
    rim[:reach] = True
    rim[-reach:] = True
    rim[:, :reach] = True
    rim[:, -reach:] = True
    return rim
