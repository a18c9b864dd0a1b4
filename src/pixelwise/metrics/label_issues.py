"""Labels that are likely wrong: regions where a model disagrees with them, ranked by how little it
believes them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.classes import VOID

BORDER = 1 / 300
"""Share of the diagonal by which outlines differ between careful people; nearer to a region's rim
nothing counts.
"""
LEAST = 1e-4
"""No model is taken to be surer than this."""


@dataclass(frozen=True)
class LabelIssue:
    """A region (pixels that touch by their sides) of one label that the model takes for other
    classes.

    box: top, left, bottom, right, the last two exclusive. area: pixels. looks: the class it gives
    most probability, and how much, in [0, 1]. score: the higher, the more suspect. mask: (bottom -
    top, right - left), True inside.
    """

    box: tuple[int, int, int, int]
    area: int
    label: int
    looks: int
    confidence: float
    score: float
    mask: NDArray[np.bool_]


def find_suspect_regions(
    labels: NDArray[np.uint8], probabilities: NDArray[np.floating]
) -> list[LabelIssue]:
    """The suspect regions of one image, highest score first, from labels (H, W) and probabilities
    (C, H, W).

    Score: the mean cross-entropy of the labels over the region's core, times the fourth root of the
    core's pixels. The core leaves out pixels nearer than BORDER to the region's rim, so a region
    that is all rim is none. A pixel's own probability of its label is the label quality of Lad and
    Mueller 2023 ("Estimating label quality and errors in semantic segmentation data via any model",
    after Northcutt et al. 2021, "Confident learning"), who rank images; that regions are what a
    person corrects is the view of Rottmann and Reese 2023. The logarithm and the fourth root found
    the most planted errors on the validation images of CamVid.
    """
    given = _given(labels, probabilities)
    surprise = -np.log(np.maximum(given, LEAST))
    wrong = (probabilities.max(axis=0) > given) & (labels != VOID)
    rim = max(1, round(BORDER * float(np.hypot(*labels.shape))))
    found = []
    for label in np.unique(labels[wrong]).tolist():
        parts = wrong & (labels == label)
        core = ndimage.binary_erosion(parts, iterations=rim, border_value=1)
        numbered, _ = ndimage.label(parts)
        for number, place in enumerate(ndimage.find_objects(numbered), 1):
            mask = numbered[place] == number
            inner = mask & core[place]
            if inner.any():
                found.append(
                    _suspect(label, place, mask, inner, surprise[place], probabilities[:, *place])
                )
    return sorted(found, key=lambda suspect: -suspect.score)


def outline(suspect: LabelIssue, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) of an image of that size, True on the pixels just outside the region."""
    region: NDArray[np.bool_] = np.zeros(size, bool)
    top, left, bottom, right = suspect.box
    region[top:bottom, left:right] = suspect.mask
    ring: NDArray[np.bool_] = ndimage.binary_dilation(region) & ~region
    return ring


def _given(labels: NDArray[np.uint8], probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
    """(H, W) probability of each pixel's label; that of class 0 where it is void."""
    index = np.where(labels == VOID, 0, labels).astype(np.intp)[None]
    given: NDArray[np.float32] = np.take_along_axis(probabilities, index, 0)[0].astype(np.float32)
    return given


def _suspect(
    label: int,
    place: tuple[slice, slice],
    mask: NDArray[np.bool_],
    inner: NDArray[np.bool_],
    surprise: NDArray[np.float32],
    probabilities: NDArray[np.floating],
) -> LabelIssue:
    means = probabilities[:, inner].mean(axis=1, dtype=np.float64)
    means[label] = -1
    looks = int(means.argmax())
    rows, columns = place
    box = (rows.start, columns.start, rows.stop, columns.stop)
    score = float(surprise[inner].mean() * np.count_nonzero(inner) ** 0.25)
    return LabelIssue(
        box, int(np.count_nonzero(mask)), label, looks, float(means[looks]), score, mask
    )
