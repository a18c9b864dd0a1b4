"""Calibration beside torchmetrics, and the temperature beside a known one and SciPy's."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from pixelwise.classes import read_labels
from pixelwise.metrics.calibration import BINS, TEMPERATURES, Reliability, fit_temperature


def drawn(
    seed: int, temperature: float, count: int = 20_000, classes: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `temperature` times too large for the targets that were drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes))
    gumbel = rng.gumbel(size=logits.shape)
    return (temperature * logits).astype(np.float32), (logits + gumbel).argmax(1)


@pytest.mark.parametrize("seed", range(3))
def test_the_expected_calibration_error_is_that_of_torchmetrics(seed: int) -> None:
    from torchmetrics.functional.classification import multiclass_calibration_error

    logits, target = drawn(seed, 2.0, 3000)
    labels, confidence = read_labels(logits.T[:, :, None])
    result = Reliability()
    for part in (slice(0, 1000), slice(1000, 3000)):  # pooled over images
        result.update(confidence[part], labels[part, 0][:, None] == target[part, None])
    theirs = multiclass_calibration_error(
        torch.from_numpy(logits), torch.from_numpy(target), 4, n_bins=BINS
    )
    assert result.error == pytest.approx(float(theirs), abs=1e-5)


def test_sure_and_unsure_pixels_lie_in_the_outer_bins_and_empty_bins_are_null() -> None:
    result = Reliability()
    result.update(np.array([1.0, 1.0, 0.0], np.float32), np.array([True, False, True]))
    raw = result.as_dict()
    assert raw["expected_calibration_error"] == pytest.approx(2 / 3, abs=1e-6)
    assert [bin_["pixels"] for bin_ in raw["bins"]] == [1, *[0] * (BINS - 2), 2]
    assert raw["bins"][-1] == {"pixels": 2, "confidence": 1.0, "accuracy": 0.5}
    assert raw["bins"][3] == {"pixels": 0, "confidence": None, "accuracy": None}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_the_one_that_was_planted_and_scipys(temperature: float) -> None:
    logits, target = drawn(5, temperature)
    result = fit_temperature(logits, target)
    assert result == pytest.approx(temperature, rel=0.03)

    def loss(t: float) -> float:
        return torch.nn.functional.cross_entropy(
            torch.from_numpy(logits) / t, torch.from_numpy(target)
        ).item()

    theirs = minimize_scalar(loss, bounds=TEMPERATURES, method="bounded", options={"xatol": 1e-6})
    assert loss(result) <= theirs.fun + 1e-5
    assert result == pytest.approx(theirs.x, rel=5e-3)


def test_logits_that_are_always_right_get_the_least_temperature_and_noise_the_largest() -> None:
    target = np.arange(300) % 3
    right = np.eye(3, dtype=np.float32)[target]
    assert fit_temperature(right, target) == pytest.approx(TEMPERATURES[0], rel=0.01)
    assert fit_temperature(100 * right[::-1], target) == pytest.approx(TEMPERATURES[1], rel=0.01)
