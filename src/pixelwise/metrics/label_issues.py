"""Labels that are likely wrong: regions where a model disagrees with them, ranked by how little it
believes them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.classes import VOID

# Share of the diagonal by which outlines differ between careful people; nearer to a region's rim
# nothing counts.
BORDER_TOLERANCE = 1 / 300

# No model is taken to be surer than this.
MIN_PROBABILITY = 1e-4


@dataclass(frozen=True)
class LabelIssue:
    """A region (pixels that touch by their sides) of one label that the model takes for other
    classes.
    """

    box: tuple[int, int, int, int]
    """Top, left, bottom, right; the last two exclusive."""

    area: int
    """Pixels."""

    label: int
    """Of the region in the mask."""

    predicted: int
    """The class that the model gives most probability."""

    confidence: float
    """That probability, in [0, 1]."""

    score: float
    """The higher, the more suspect."""

    mask: NDArray[np.bool_]
    """(bottom - top, right - left), True inside."""


def find_suspect_regions(
    labels: NDArray[np.uint8], probabilities: NDArray[np.floating]
) -> list[LabelIssue]:
    """The suspect regions of one image, highest score first, from labels (H, W) and probabilities
    (C, H, W).

    Score: the mean cross-entropy of the labels over the region's core, times the fourth root of the
    core's pixels. The core leaves out pixels nearer than BORDER_TOLERANCE to the region's rim, so a
    region that is all rim is none. A pixel's own probability of its label is the label quality of
    Lad and Mueller 2023 ("Estimating label quality and errors in semantic segmentation data via any
    model", after Northcutt et al. 2021, "Confident learning"), who rank images; that regions are
    what a person corrects is the view of Rottmann and Reese 2023. The logarithm and the fourth root
    found the most planted errors on the validation images of CamVid.
    """
    of_label = _label_probability(labels, probabilities)  # (H, W)
    cross_entropy = -np.log(np.maximum(of_label, MIN_PROBABILITY))
    wrong = (probabilities.max(axis=0) > of_label) & (labels != VOID)
    rim = max(1, round(BORDER_TOLERANCE * float(np.hypot(*labels.shape))))
    issues = []
    for label in np.unique(labels[wrong]).tolist():
        parts = wrong & (labels == label)
        core = ndimage.binary_erosion(parts, iterations=rim, border_value=1)
        regions, _ = ndimage.label(parts)
        for number, window in enumerate(ndimage.find_objects(regions), 1):
            mask = regions[window] == number
            inner = mask & core[window]
            if inner.any():
                score = float(cross_entropy[window][inner].mean() * np.count_nonzero(inner) ** 0.25)
                means = probabilities[:, *window][:, inner].mean(axis=1, dtype=np.float64)
                issues.append(_describe(label, window, mask, means, score))
    return sorted(issues, key=lambda issue: -issue.score)


def outline_region(issue: LabelIssue, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) of an image of that size, True on the pixels just outside the region."""
    region: NDArray[np.bool_] = np.zeros(size, bool)
    top, left, bottom, right = issue.box
    region[top:bottom, left:right] = issue.mask
    ring: NDArray[np.bool_] = ndimage.binary_dilation(region) & ~region
    return ring


def _label_probability(
    labels: NDArray[np.uint8], probabilities: NDArray[np.floating]
) -> NDArray[np.float32]:
    """(H, W) probability of each pixel's label; that of class 0 where it is void."""
    index = np.where(labels == VOID, 0, labels).astype(np.intp)[None]
    of_label = np.take_along_axis(probabilities, index, 0)[0]
    result: NDArray[np.float32] = of_label.astype(np.float32)
    return result


def _describe(
    label: int,
    window: tuple[slice, slice],
    mask: NDArray[np.bool_],
    means: NDArray[np.float64],
    score: float,
) -> LabelIssue:
    """A region's issue, from the mean probability of each class in its core."""
    means[label] = -1
    predicted = int(means.argmax())
    rows, columns = window
    return LabelIssue(
        box=(rows.start, columns.start, rows.stop, columns.stop),
        area=int(np.count_nonzero(mask)),
        label=label,
        predicted=predicted,
        confidence=float(means[predicted]),
        score=score,
        mask=mask,
    )
