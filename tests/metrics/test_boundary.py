"""Boundary IoU and F beside literal implementations of the papers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pixelwise.classes import reduce_window
from pixelwise.metrics.boundary import BoundaryScores, near_border

VOID = 255


def rim_of_the_paper(mask: np.ndarray, reach: int) -> np.ndarray:
    """The mask without what is left of it after `reach` erosions by 3 x 3, with nothing beyond the
    frame.
    """
    eroded = ndimage.binary_erosion(np.pad(mask, 1), np.ones((3, 3)), iterations=reach)
    return mask & ~eroded[1:-1, 1:-1]


def outline_by_definition(mask: np.ndarray) -> list[tuple[int, int]]:
    """Pixels of the mask with a neighbour in the image, up, down, left or right, that is none of
    it.
    """
    height, width = mask.shape
    steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
    inside = lambda y, x: 0 <= y < height and 0 <= x < width  # noqa: E731
    return [
        (y, x)
        for y, x in zip(*np.nonzero(mask), strict=True)
        if any(inside(y + v, x + u) and not mask[y + v, x + u] for v, u in steps)
    ]


def met(outline: list[tuple[int, int]], other: list[tuple[int, int]], reach: int) -> int:
    return sum(any(max(abs(y - v), abs(x - u)) <= reach for v, u in other) for y, x in outline)


def literal(
    pairs: list[tuple[np.ndarray, np.ndarray]], classes: int, widths: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    sums = np.zeros((classes, 6))
    for truth, labels in pairs:
        near, reach = (max(1, round(width * np.hypot(*truth.shape))) for width in widths)
        for label in range(classes):
            masks = truth == label, (labels == label) & (truth != VOID)
            rims = [rim_of_the_paper(mask, near) for mask in masks]
            ours, theirs = map(outline_by_definition, masks)
            hits = met(theirs, ours, reach), met(ours, theirs, reach)
            sums[label] += (
                (rims[0] & rims[1]).sum(),
                (rims[0] | rims[1]).sum(),
                *hits,
                len(theirs),
                len(ours),
            )
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(sums[:, 2] / sums[:, 4])
        recall = np.nan_to_num(sums[:, 3] / sums[:, 5])
        f = np.nan_to_num(2 * precision * recall / (precision + recall))
        return sums[:, 0] / sums[:, 1], np.where(sums[:, 4] + sums[:, 5] > 0, f, np.nan)


def same(
    pairs: list[tuple[np.ndarray, np.ndarray]], classes: int, widths: tuple[float, float]
) -> None:
    scores = BoundaryScores(classes, iou_width=widths[0], f_width=widths[1])
    for truth, labels in pairs:
        scores.update(truth, labels)
    iou, f = literal(pairs, classes, widths)
    np.testing.assert_allclose(scores.iou, iou)
    np.testing.assert_allclose(scores.f, f)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 14), st.integers(1, 14), st.integers(0, 9999), st.sampled_from([0.02, 0.1, 0.2])
)
def test_the_scores_are_those_of_the_papers(
    height: int, width: int, seed: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(2):
        blocks = [
            np.kron(rng.integers(0, 3, (7, 7)), np.ones((2, 2)))[:height, :width] for _ in range(2)
        ]
        truth, labels = (block.astype(np.uint8) for block in blocks)
        truth[rng.random(truth.shape) < 0.05] = VOID
        labels[rng.random(truth.shape) < 0.05] = VOID  # a class that the data does not have
        pairs.append((truth, labels))
    same(pairs, 5, (share, share / 2))


def test_real_masks_moved_by_a_few_pixels_score_as_in_the_papers(real_data: Path) -> None:
    from pixelwise.datasets.open_dataset import open_dataset

    dataset = open_dataset(real_data / "camvid")
    truth = dataset.read_labels(dataset.pairs("val")[0].mask)[100:220, 100:260]
    assert (truth == VOID).any()
    same([(truth, np.roll(truth, 2, 1))], len(dataset.classes), (0.02, 0.0075))


def test_classes_beyond_the_64th_are_counted_as_well() -> None:
    rng = np.random.default_rng(0)
    truth, labels = (
        np.kron(rng.integers(60, 70, (6, 6)), np.ones((3, 3))).astype(np.uint8) for _ in range(2)
    )
    same([(truth, labels)], 150, (0.1, 0.05))


@pytest.mark.parametrize(
    ("join", "filtered"), [(np.maximum, "maximum_filter"), (np.minimum, "minimum_filter")]
)
@pytest.mark.parametrize("reach", [1, 2, 5, 40])
def test_a_window_is_that_of_scipy_clipped_at_the_frame(
    join: np.ufunc, filtered: str, reach: int
) -> None:
    values = np.random.default_rng(reach).integers(0, 250, (23, 31)).astype(np.uint8)
    scipy_filter: Callable[..., np.ndarray] = getattr(ndimage, filtered)
    np.testing.assert_array_equal(
        reduce_window(values, reach, join), scipy_filter(values, 2 * reach + 1, mode="nearest")
    )


def test_the_frame_is_no_border() -> None:
    labels = np.zeros((5, 9), np.uint8)
    labels[:, 6:] = 1
    assert near_border(labels, 2)[0].tolist() == [
        False,
        False,
        False,
        False,
        True,
        True,
        True,
        True,
        False,
    ]


def test_a_shifted_square_loses_more_at_its_border_than_inside() -> None:
    truth, shifted = np.zeros((2, 200, 200), np.uint8)
    truth[40:160, 40:160] = 1
    shifted[40:160, 46:166] = 1
    moved = BoundaryScores(2)
    perfect = BoundaryScores(2)
    moved.update(truth, shifted)
    assert moved.iou[1] < 114 / 126 - 0.3  # its plain IoU
    perfect.update(truth, truth)
    assert perfect.iou.tolist() == perfect.f.tolist() == [1.0, 1.0]
    assert perfect.as_dict(("a", "b"))["mean_boundary_f"] == 1.0
