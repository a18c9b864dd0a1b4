"""Where errors lie: near the borders of the truth, and in connected regions of which size."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Labels, reduce_window
from pixelwise.metrics.confusion import Counts, Figures, json_number, safe_divide

# Pixels from a border of the truth.
DISTANCES = (1, 2, 4, 8, 16)

# Least pixels of a region of each kind: tiny, small, medium, large. The upper two are COCO's.
SIZES = (0, 16**2, 32**2, 96**2)


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
        highest: Labels = truth
        lowest: Labels = truth
        previous = 0
        for row, distance in enumerate(DISTANCES):
            # a window of windows: what the next distance adds to the one before
            step = distance - previous
            highest = reduce_window(highest, step, np.maximum)
            lowest = reduce_window(lowest, step, np.minimum)
            near = highest != lowest
            near_counted = near & counted
            near_wrong = near & wrong
            self._near[row] += near_counted.sum(), near_wrong.sum()
            previous = distance

    def merge(self, other: "NearBorders") -> None:
        """Add the images of `other`."""
        self._near += other._near
        self._all += other._all

    def rows(self) -> list[dict[str, float | None]]:
        """For each distance: the share of all wrong pixels and of all pixels that lie there, and
        the share wrong.
        """
        shares = safe_divide(self._near, self._all)  # (distances, 2): of all, of the wrong pixels
        error_rates = safe_divide(self._near[:, 1], self._near[:, 0])
        rows: list[dict[str, float | None]] = []
        for row, distance in enumerate(DISTANCES):
            of_all, of_wrong = shares[row]
            rows.append(
                {
                    "within": distance,
                    "of_wrong": json_number(of_wrong),
                    "of_all": json_number(of_all),
                    "wrong": json_number(error_rates[row]),
                }
            )
        return rows


class BySize:
    """IoU of the connected regions of the truth, by their size; each region counts alike.

    A region is pixels of one class that touch by their sides. Its IoU: pixels found / (its pixels +
    those wrongly taken for it). A predicted region that meets several true ones has its wrong
    pixels shared among them as it has their pixels, and one that meets none counts nowhere here.
    Void is neither truth nor error.
    """

    def __init__(self) -> None:
        # of each size: regions, sum of their IoU, regions of which no pixel is found
        self._sums: Figures = np.zeros((len(SIZES), 3))

    def update(self, truth: Labels, labels: Labels) -> None:
        """Count one image: true and predicted class ids (H, W) uint8."""
        labels = np.where(truth == VOID, VOID, labels)
        labels = labels.astype(np.uint8)
        sizes, iou = _region_scores(truth, labels)
        kind = np.digitize(sizes, SIZES) - 1
        missed = iou == 0
        self._sums[:, 0] += np.bincount(kind, minlength=len(SIZES))
        self._sums[:, 1] += np.bincount(kind, iou, minlength=len(SIZES))
        self._sums[:, 2] += np.bincount(kind, missed, minlength=len(SIZES))

    def merge(self, other: "BySize") -> None:
        """Add the regions of `other`."""
        self._sums += other._sums

    def rows(self) -> list[dict[str, float | None]]:
        """For each size: from how many pixels on, regions, their mean IoU, and the share of which
        nothing is found.
        """
        counts = self._sums[:, 0]
        means = safe_divide(self._sums[:, 1:], self._sums[:, :1])  # (sizes, 2)
        rows: list[dict[str, float | None]] = []
        for row, least in enumerate(SIZES):
            iou, missed = means[row]
            rows.append(
                {
                    "from": least,
                    "regions": int(counts[row]),
                    "mean_iou": json_number(iou),
                    "missed": json_number(missed),
                }
            )
        return rows


def label_regions(labels: Labels) -> NDArray[np.int64]:
    """(H, W): the number, from 0 on, of each pixel's region: pixels of one label that touch by
    their sides.

    Stretches of a row are joined to those above: in each round every group takes the lowest number
    that it touches (Shiloach and Vishkin 1982), so that there are at most log2 of the number of
    stretches of rounds. All labels at once: scipy.ndimage.label, which takes one after the other,
    needs sixty times as long for 21 classes of 480 x 640 pixels.
    """
    starts = np.ones(labels.shape, bool)
    starts[:, 1:] = labels[:, 1:] != labels[:, :-1]
    stretch = np.cumsum(starts) - 1
    stretch = stretch.reshape(labels.shape)  # (H, W): numbers of stretches
    # where two stretches of one label begin to lie on each other
    same = labels[1:] == labels[:-1]
    either_starts = starts[1:] | starts[:-1]
    touch = same & either_starts
    above = stretch[:-1][touch]
    below = stretch[1:][touch]
    root = _join_stretches(above, below, stretch[-1, -1] + 1)
    # each group's root is its lowest stretch: numbered in reading order
    is_root = root == np.arange(len(root))
    numbers = np.cumsum(is_root) - 1
    regions: NDArray[np.int64] = numbers[root][stretch]
    return regions


def _join_stretches(
    above: NDArray[np.int64],
    below: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """By stretch, of `count`: the lowest number in its group, where those of each pair touch."""
    root = np.arange(count)
    while len(above):
        above_root = root[above]
        below_root = root[below]
        higher = np.maximum(above_root, below_root)
        lower = np.minimum(above_root, below_root)
        # unbuffered: several pairs may lower the same root
        np.minimum.at(root, higher, lower)
        # pointer jumping halves the way to the root each time
        while (root != root[root]).any():
            root = root[root]
        apart = root[above] != root[below]
        above = above[apart]
        below = below[apart]
    return root


def _region_scores(truth: Labels, labels: Labels) -> tuple[NDArray[Any], Figures]:
    """Pixels and IoU of each region of the truth that is not void."""
    regions = label_regions(truth)
    predictions = label_regions(labels)
    # a stretch is a run of pixels, in reading order, of one pair of regions: there are far fewer
    # of them than pixels
    pairs = regions * (predictions.max() + 1) + predictions
    flat_pairs = pairs.reshape(-1)
    starts = np.flatnonzero(np.diff(flat_pairs, prepend=-1))
    lengths = np.diff(starts, append=flat_pairs.size)
    region = regions.reshape(-1)[starts]
    prediction = predictions.reshape(-1)[starts]
    label = truth.reshape(-1)[starts]
    predicted_label = labels.reshape(-1)[starts]
    valid = label != VOID
    right = (label == predicted_label) & valid

    sizes = np.bincount(region, lengths)
    shared_errors = _share_errors(region, prediction, right, lengths)
    hits = np.bincount(region[right], lengths[right], minlength=len(sizes))
    counted = np.zeros(len(sizes), bool)
    counted[region[valid]] = True
    union = sizes + shared_errors
    iou = hits[counted] / union[counted]
    return sizes[counted], iou


def _share_errors(
    region: NDArray[np.int64],
    prediction: NDArray[np.int64],
    right: NDArray[np.bool_],
    lengths: NDArray[np.int64],
) -> Figures:
    """By true region: the wrong pixels of the predicted regions that meet it, shared as these have
    their right pixels in true regions.
    """
    predicted = np.bincount(prediction, lengths)
    right_lengths = lengths[right]
    right_prediction = prediction[right]
    used = np.bincount(right_prediction, right_lengths, minlength=len(predicted))
    wrong_per_right = safe_divide(predicted - used, used)
    # a predicted region without a right pixel meets no region of its class: shared with none
    wrong_per_right = np.nan_to_num(wrong_per_right)
    shares = right_lengths * wrong_per_right[right_prediction]
    count = int(region.max()) + 1
    errors = np.bincount(region[right], shares, minlength=count)
    return errors.astype(np.float64)
