"""Where errors lie, counted pixel by pixel, and regions beside SciPy's."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pixelwise.classes import VOID
from pixelwise.metrics.error_analysis import DISTANCES, SIZES, BySize, NearBorders, label_regions


def picture(seed: int, size: tuple[int, int], classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, classes, (9, 9)), np.ones((3, 3))).astype(np.uint8)[
        : size[0], : size[1]
    ]
    labels = np.where(
        rng.random(truth.shape) < 0.7, truth, rng.integers(0, classes + 1, truth.shape)
    ).astype(np.uint8)
    labels[labels == classes] = VOID  # taken for a class that the data does not have
    truth[rng.random(truth.shape) < 0.1] = VOID
    return truth, labels


def by_scipy(labels: np.ndarray) -> list[np.ndarray]:
    """A mask for every region."""
    result = []
    for label in np.unique(labels):
        numbers, count = ndimage.label(labels == label)
        result += [numbers == number for number in range(1, count + 1)]
    return result


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), st.integers(0, 9999))
def test_regions_are_those_of_scipy(height: int, width: int, classes: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, (height, width)).astype(np.uint8)
    numbers = label_regions(labels)
    regions = by_scipy(labels)
    assert numbers.max() + 1 == len(regions)
    assert all(len(np.unique(numbers[region])) == 1 for region in regions)


def test_a_spiral_and_a_comb_are_one_region() -> None:
    comb = np.zeros((40, 41), np.uint8)
    comb[:-1, 1::2] = 1
    assert label_regions(comb).max() == 20
    spiral = np.ones((9, 9), np.uint8)
    place = np.array((0, 0))
    step = np.array((0, 1))
    spiral[0, 0] = 0
    for length in (8, 8, 8, 6, 6, 4, 4, 2, 2):
        for _ in range(length):
            place += step
            spiral[tuple(place)] = 0
        step = np.array((step[1], -step[0]))
    assert label_regions(spiral).max() == 1


@pytest.mark.parametrize("seed", range(3))
def test_shares_near_borders_are_those_of_a_count_by_hand(seed: int) -> None:
    near = NearBorders()
    wrong = np.zeros(len(DISTANCES))
    every = np.zeros(len(DISTANCES))
    all_wrong = all_pixels = 0
    for size in ((27, 27), (20, 25)):
        truth, labels = picture(seed, size)
        near.update(truth, labels)
        for y, x in zip(*np.nonzero(truth != VOID), strict=True):
            all_pixels += 1
            all_wrong += truth[y, x] != labels[y, x]
            for row, k in enumerate(DISTANCES):
                window = truth[max(0, y - k) : y + k + 1, max(0, x - k) : x + k + 1]
                if (window != truth[y, x]).any() or len(np.unique(window)) > 1:
                    every[row] += 1
                    wrong[row] += truth[y, x] != labels[y, x]
    for row, result in enumerate(near.rows()):
        assert result["of_wrong"] == pytest.approx(wrong[row] / all_wrong, abs=1e-6)
        assert result["of_all"] == pytest.approx(every[row] / all_pixels, abs=1e-6)
        assert result["wrong"] == pytest.approx(wrong[row] / every[row], abs=1e-6)


def sizes_by_definition(
    pairs: list[tuple[np.ndarray, np.ndarray]],
) -> list[tuple[int, float, float]]:
    """Of each size: regions, mean IoU, share missed; the wrong pixels of a prediction dealt as it
    has true ones.
    """
    result: list[list[float]] = [[] for _ in SIZES]
    for truth, predicted in pairs:
        labels = np.where(truth == VOID, VOID, predicted)
        for region in by_scipy(truth):
            label = truth[region][0]
            if label == VOID:
                continue
            hits = dealt = 0.0
            for other in by_scipy(labels):
                if labels[other][0] == label and (other & region).any():
                    right = (other & (truth == label)).sum()
                    hits += (other & region).sum()
                    dealt += (other.sum() - right) * (other & region).sum() / right
            kind = max(k for k, low in enumerate(SIZES) if region.sum() >= low)
            result[kind].append(hits / (region.sum() + dealt))
    return [
        (len(f), np.mean(f) if f else np.nan, np.mean(np.array(f) == 0) if f else np.nan)
        for f in result
    ]


def same_sizes(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    sizes = BySize()
    for pair in pairs:
        sizes.update(*pair)
    for result, (count, iou, missed) in zip(sizes.rows(), sizes_by_definition(pairs), strict=True):
        assert result["regions"] == count
        assert result["mean_iou"] == (pytest.approx(iou, abs=1e-6) if count else None)
        assert result["missed"] == (pytest.approx(missed, abs=1e-6) if count else None)


@pytest.mark.parametrize("seed", range(3))
def test_scores_by_size_are_those_of_the_definition(seed: int) -> None:
    same_sizes([picture(seed, (27, 27)), picture(seed + 9, (20, 25), 2)])


def test_scores_by_size_of_real_masks_are_those_of_the_definition(real_data: Path) -> None:
    from pixelwise.datasets.open_dataset import open_dataset

    dataset = open_dataset(real_data / "camvid")
    truth = dataset.read_labels(dataset.pairs("val")[0].mask)[150:300, 100:300]
    same_sizes([(truth, np.roll(truth, 3, 1))])


def test_one_blob_over_two_objects_shares_its_excess() -> None:
    truth, labels = np.zeros((2, 10, 40), np.uint8)
    truth[:, :10] = truth[:, 20:30] = 1  # two of 100 pixels
    labels[:, :30] = 1  # and 100 wrong ones between them
    sizes = BySize()
    sizes.update(truth, labels)
    assert sizes.rows()[0]["regions"] == 4
    assert sizes.rows()[0]["mean_iou"] == pytest.approx(
        (100 / 150 + 100 / 150 + 0 + 1) / 4, abs=1e-6
    )
    assert sizes.rows()[0]["missed"] == 0.25
