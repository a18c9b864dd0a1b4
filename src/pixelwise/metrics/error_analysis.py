"""Where errors lie: near the borders of the truth, and in connected regions of which size."""

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Labels
from pixelwise.metrics.boundary import over_window
from pixelwise.metrics.confusion import Counts, Figures, number, safe_divide

DISTANCES = (1, 2, 4, 8, 16)
SIZES = (0, 16**2, 32**2, 96**2)
"""Least pixels of a region of each kind: tiny, small, medium, large. The upper two are COCO's."""


class NearBorders:
    """Of the pixels within each of DISTANCES of a border of the truth: how many, and how many are
    wrong. Pooled.

    A border lies between two labels, void among them, and not along the image's frame. Distances
    are steps in rows, columns and diagonals; void pixels count nowhere.
    """

    def __init__(self) -> None:
        self._near: Counts = np.zeros((len(DISTANCES), 2), np.int64)
        self._all: Counts = np.zeros(2, np.int64)

    def update(self, truth: Labels, labels: Labels) -> None:
        """Count one image: true and predicted class ids (H, W) uint8."""
        counted = truth != VOID
        wrong = counted & (truth != labels)
        self._all += counted.sum(), wrong.sum()
        high: Labels = truth
        low: Labels = truth
        for row, (before, distance) in enumerate(zip((0, *DISTANCES), DISTANCES, strict=False)):
            high = over_window(high, distance - before, np.maximum)  # windows of windows
            low = over_window(low, distance - before, np.minimum)
            near = high != low
            self._near[row] += (near & counted).sum(), (near & wrong).sum()

    def merge(self, other: "NearBorders") -> None:
        """Add the images of `other`."""
        self._near += other._near
        self._all += other._all

    def rows(self) -> list[dict[str, float | None]]:
        """For each distance: the share of all wrong pixels and of all pixels that lie there, and
        the share wrong.
        """
        shares = zip(
            safe_divide(self._near, self._all),
            safe_divide(self._near[:, 1], self._near[:, 0]),
            strict=True,
        )
        return [
            {"within": k, "of_wrong": number(wrong), "of_all": number(every), "wrong": number(rate)}
            for k, ((every, wrong), rate) in zip(DISTANCES, shares, strict=True)
        ]


class BySize:
    """IoU of the connected regions of the truth, by their size; each region counts alike.

    A region is pixels of one class that touch by their sides. Its IoU: pixels found / (its pixels +
    those wrongly taken for it). A predicted region that meets several true ones has its wrong
    pixels dealt to them as it has their pixels, and one that meets none counts nowhere here. Void
    is neither truth nor error.
    """

    def __init__(self) -> None:
        self._sums: Figures = np.zeros(
            (len(SIZES), 3)
        )  # regions, sum of their IoU, regions of which no pixel is found

    def update(self, truth: Labels, labels: Labels) -> None:
        """Count one image: true and predicted class ids (H, W) uint8."""
        labels = np.where(truth == VOID, VOID, labels).astype(np.uint8)
        regions = label_regions(truth)
        found = label_regions(labels)
        pair = (regions * (found.max() + 1) + found).reshape(-1)
        starts = np.flatnonzero(np.diff(pair, prepend=-1))  # of stretches of one pair
        lengths = np.diff(starts, append=pair.size)
        mine = regions.reshape(-1)[starts]
        theirs = found.reshape(-1)[starts]
        label = truth.reshape(-1)[starts]
        size = np.bincount(mine, lengths)
        predicted = np.bincount(theirs, lengths)
        right = (label == labels.reshape(-1)[starts]) & (label != VOID)
        hits = np.bincount(mine[right], lengths[right], minlength=len(size))
        used = np.bincount(theirs[right], lengths[right], minlength=len(predicted))
        excess = np.nan_to_num(
            safe_divide(predicted - used, used)
        )  # wrong pixels for each right one
        dealt = np.bincount(
            mine[right], lengths[right] * excess[theirs[right]], minlength=len(size)
        )
        real = np.zeros(len(size), bool)
        real[mine[label != VOID]] = True
        iou = hits[real] / (size + dealt)[real]
        kind = np.digitize(size[real], SIZES) - 1
        for column, weights in enumerate((None, iou, iou == 0)):
            self._sums[:, column] += np.bincount(kind, weights, minlength=len(SIZES))

    def merge(self, other: "BySize") -> None:
        """Add the regions of `other`."""
        self._sums += other._sums

    def rows(self) -> list[dict[str, float | None]]:
        """For each size: from how many pixels on, regions, their mean IoU, and the share of which
        nothing is found.
        """
        return [
            {"from": low, "regions": int(count), "mean_iou": number(iou), "missed": number(missed)}
            for low, count, (iou, missed) in zip(
                SIZES,
                self._sums[:, 0],
                safe_divide(self._sums[:, 1:], self._sums[:, :1]),
                strict=True,
            )
        ]


def label_regions(labels: Labels) -> NDArray[np.int64]:
    """(H, W): the number, from 0 on, of each pixel's region: pixels of one label that touch by
    their sides.

    Stretches of a row are joined to those above: in each round every group takes the lowest number
    that it touches (Shiloach and Vishkin 1982), so that there are at most log2 of the number of
    stretches of rounds.
    """
    starts = np.ones(labels.shape, bool)
    starts[:, 1:] = labels[:, 1:] != labels[:, :-1]
    stretch = (np.cumsum(starts) - 1).reshape(labels.shape)
    touch = (labels[1:] == labels[:-1]) & (
        starts[1:] | starts[:-1]
    )  # where two stretches begin to lie on each other
    above = stretch[:-1][touch]
    below = stretch[1:][touch]
    root = np.arange(stretch[-1, -1] + 1)
    while len(above):
        np.minimum.at(
            root, np.maximum(root[above], root[below]), np.minimum(root[above], root[below])
        )
        while (root != root[root]).any():
            root = root[root]
        apart = root[above] != root[below]
        above = above[apart]
        below = below[apart]
    numbers = np.cumsum(root == np.arange(len(root))) - 1
    joined: NDArray[np.int64] = numbers[root][stretch]
    return joined
