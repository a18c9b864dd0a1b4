"""How well outlines are met: IoU of the pixels near them, and the share of either outline that is
near the other.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Labels, edge_of
from pixelwise.metrics.confusion import Counts, Figures, nan_mean, number, safe_divide

IOU_WIDTH = 0.02
"""Share of the image's diagonal that boundary IoU counts as near an outline (Cheng et al. 2021,
section 4).
"""

F_WIDTH = 0.0075
"""Share of the image's diagonal that an outline may be off in boundary F (Csurka et al. 2013,
section 4).
"""

_BITS = 64

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
        self._hits: Counts = np.zeros(
            (2, classes), np.int64
        )  # of the predicted, of the true outline
        self._outlines: Counts = np.zeros((2, classes), np.int64)

    def update(self, truth: Labels, labels: Labels) -> None:
        """Count one image: true and predicted class ids (H, W) uint8, void 255."""
        labels = np.where(truth == VOID, VOID, labels).astype(np.uint8)
        diagonal = float(np.hypot(*truth.shape))
        reach = max(1, round(self.iou_width * diagonal))
        rims = [_rim(ids, reach) for ids in (truth, labels)]
        both = self._by_class(truth[rims[0] & rims[1] & (truth == labels)])
        self._rims += both, self._by_class(truth[rims[0]]) + self._by_class(labels[rims[1]]) - both
        self._outline(truth, labels, max(1, round(self.f_width * diagonal)))

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
        shares = np.nan_to_num(safe_divide(self._hits, self._outlines))
        found = np.nan_to_num(safe_divide(2 * shares.prod(0), shares.sum(0)))
        return np.where(self._outlines.any(0), found, np.nan)

    def as_dict(self, names: tuple[str, ...]) -> dict[str, object]:
        """Everything as JSON values; by-class figures are keyed by name, null where the class has
        none.
        """
        found: dict[str, object] = {}
        for key, values, width in (
            ("boundary_iou", self.iou, self.iou_width),
            ("boundary_f", self.f, self.f_width),
        ):
            found[key] = dict(zip(names, map(number, values), strict=True))
            found |= {f"mean_{key}": number(nan_mean(values)), f"{key}_width": width}
        return found

    def _outline(self, truth: Labels, labels: Labels, reach: int) -> None:
        edges = [np.where(edge_of(ids), ids, VOID).astype(np.uint8) for ids in (labels, truth)]
        for first in range(
            0, self._classes, _BITS
        ):  # a bit a class, so that all are widened at once
            table: NDArray[Any] = np.zeros(256, np.uint64)
            part = range(first, min(first + _BITS, self._classes))
            table[part.start : part.stop] = np.uint64(1) << np.arange(len(part), dtype=np.uint64)
            table = table.astype(np.min_scalar_type(int(table.max())))
            bits = [table[ids] for ids in edges]
            for side, ids in enumerate(edges):
                near = (bits[side] & over_window(bits[1 - side], reach, np.bitwise_or)) != 0
                self._hits[side] += self._by_class(ids[near])
        self._outlines += np.stack([self._by_class(ids) for ids in edges])

    def _by_class(self, ids: Labels) -> Counts:
        return np.bincount(ids.reshape(-1), minlength=256)[: self._classes]


def over_window(values: NDArray[Number], reach: int, join: np.ufunc) -> NDArray[Number]:
    """`join` (maximum, minimum or bitwise_or) over the square of 2 `reach` + 1 pixels around each
    pixel of (H, W).

    Beyond the frame there is nothing. The time grows with the logarithm of `reach`.
    """
    for axis in (0, 1):
        values = np.moveaxis(values, axis, 0)
        values = np.pad(
            values, ((reach, reach), (0, 0)), mode="edge"
        )  # an edge that stands twice changes no such join
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
    differ: NDArray[np.bool_] = over_window(labels, reach, np.maximum) != over_window(
        labels, reach, np.minimum
    )
    return differ


def _rim(labels: Labels, reach: int) -> NDArray[np.bool_]:
    """(H, W): whether another label or the outside of the image lies within `reach` pixels."""
    rim = near_border(labels, reach)
    rim[:reach] = True
    rim[-reach:] = True
    rim[:, :reach] = True
    rim[:, -reach:] = True
    return rim
