import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.tasks.boundaries import BoundaryIoU


def rim_by_definition(mask: np.ndarray, reach: int) -> np.ndarray:
    """Pixels of the mask with a pixel that is none of it, or no pixel at all, within `reach` rows and columns."""
    height, width = mask.shape
    found = np.zeros_like(mask)
    for y, x in zip(*np.nonzero(mask), strict=True):
        for v in range(y - reach, y + reach + 1):
            for u in range(x - reach, x + reach + 1):
                if not (0 <= v < height and 0 <= u < width) or not mask[v, u]:
                    found[y, x] = True
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 14), st.integers(1, 14), st.integers(0, 9999), st.sampled_from([0.02, 0.1, 0.2]))
def test_the_scores_are_those_of_the_definition(height: int, width: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    truth, labels = (np.kron(rng.integers(0, 3, (7, 7)), np.ones((2, 2), int))[:height, :width] for _ in range(2))
    truth[rng.random(truth.shape) < 0.05] = 255
    metric = BoundaryIoU(4, width=share)
    metric.update(torch.from_numpy(truth), torch.from_numpy(labels))
    reach = max(1, round(share * np.hypot(height, width)))
    for label, found in enumerate(metric.scores()):
        rims = [rim_by_definition(mask, reach) for mask in (truth == label, (labels == label) & (truth != 255))]
        union = (rims[0] | rims[1]).sum()
        assert found == (pytest.approx((rims[0] & rims[1]).sum() / union) if union else None)


def test_a_shifted_square_loses_more_at_its_border_than_inside() -> None:
    truth, shifted = torch.zeros(2, 200, 200, dtype=torch.long)
    truth[40:160, 40:160] = 1
    shifted[40:160, 46:166] = 1
    metric = BoundaryIoU(2)
    metric.update(truth, shifted)
    plain = 114 / 126
    score = metric.scores()[1]
    assert score is not None
    assert score < plain - 0.3
    perfect = BoundaryIoU(2)
    perfect.update(truth, truth)
    assert perfect.scores() == [1.0, 1.0]
    assert perfect.mean() == 1.0
