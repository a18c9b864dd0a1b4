import json

import numpy as np
import pytest

from pixelwise.classes import Classes
from pixelwise.errors import ModelError
from pixelwise.inference.ensemble import Ensemble
from pixelwise.inference.predictor import Predictor
from pixelwise.io.channels import Channels, ReadingRule

CLASSES = Classes.named(("dark", "bright"))


def make(low: float, high: float, names: tuple[str, ...] = ("a", "b")) -> Predictor:
    """A model that calls bright what lies above 500 in its last band."""
    size = len(names)
    channels = Channels(
        names, tuple(range(1, size + 1)), (low,) * size, (high,) * size, (0.5,) * size,
        (0.2,) * size, size, "uint16", "as set",
    )  # fmt: skip

    def run(pixels: np.ndarray) -> np.ndarray:
        value = low + pixels[:, -1].astype(np.float32) / 255 * (high - low)
        return np.stack([500 - value, value - 500], axis=1) / 50

    predictor = Predictor(run, CLASSES)
    header = ReadingRule(channels=channels).to_header()
    predictor.reading = json.loads(json.dumps(header))  # as a file has it
    return predictor


def test_each_model_sees_its_own_window() -> None:
    values = np.random.default_rng(0).uniform(100, 900, (40, 50, 2))
    models = [make(0, 1000), make(80, 950), make(-400, 2000)]
    together = Ensemble(models).predict(values)
    alone = np.mean([model.predict(values).confidence for model in models], axis=0)
    sure = np.abs(values[..., 1] - 500) > 30
    assert np.array_equal(together.labels[sure], (values[..., 1] > 500)[sure])
    assert np.abs(together.confidence - alone)[sure].max() < 0.15
    again = Ensemble(Ensemble(models).members).predict(values)
    assert np.array_equal(again.labels, together.labels), "aligned once"


def test_models_of_other_bands_are_refused() -> None:
    with pytest.raises(ModelError, match="takes a, b, a model a, c"):
        Ensemble([make(0, 1000), make(0, 1000, ("a", "c"))])
    photos = Predictor(lambda pixels: np.zeros((1, 2, *pixels.shape[-2:])), CLASSES)
    with pytest.raises(ModelError, match="takes a, b, a model photos"):
        Ensemble([make(0, 1000), photos])
