from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwise
from pixelwise.classes import Classes, softmax
from pixelwise.errors import ModelError
from pixelwise.inference.ensemble import Ensemble, join_models
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tiling import TilePlan
from pixelwise.models.picture_sizes import PictureSizes

NAMES = ("red", "green", "blue")
ORDER = (2, 0, 1)
CLASSES = Classes.named(NAMES)
TURNED = Classes.named(tuple(NAMES[label] for label in ORDER))
OPTIONS = ({}, {"tta": True}, {"scales": (0.5, 1.0)}, {"tta": True, "scales": (1.5,)})


def sided(rgb: np.ndarray) -> np.ndarray:
    """Logits by colour, and by where in its tile a pixel lies: the tiles' sizes matter."""
    logits = rgb.astype(np.float32) / 32
    logits[:, 0] += np.arange(rgb.shape[-1]) / 25
    return logits


def other(rgb: np.ndarray) -> np.ndarray:
    """Another model's, whose classes stand in another order."""
    logits = np.sqrt(rgb.astype(np.float32))
    logits[:, 1] += np.arange(rgb.shape[-2])[:, None] / 20
    return np.ascontiguousarray(logits[:, ORDER])


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (150, 170, 3), dtype=np.uint8)


def members(second_tile: tuple[int, int] = (64, 64)) -> tuple[Predictor, Predictor]:
    return Predictor(sided, CLASSES, tile=(64, 64)), Predictor(other, TURNED, tile=second_tile)


def scores_of(predictor: Predictor, picture: np.ndarray, **options: Any) -> np.ndarray:
    """(C, H, W) in the order of NAMES, as float32."""
    pieces = predictor.pieces(picture, **options)
    order = [predictor.classes.names.index(name) for name in NAMES]
    return softmax(joined(list(pieces), picture.shape))[order]


def joined(pieces: Sequence[tuple[int, int, np.ndarray]], shape: tuple[int, ...]) -> np.ndarray:
    whole = np.full((len(pieces[0][2]), *shape[:2]), np.nan, np.float32)
    for top, left, logits in pieces:
        _, height, width = logits.shape
        part = whole[:, top : top + height, left : left + width]
        assert np.isnan(part).all()  # each pixel once
        part[...] = logits
    assert not np.isnan(whole).any()
    return whole


@pytest.mark.parametrize("options", OPTIONS)
def test_a_model_averaged_with_itself_is_that_model(
    picture: np.ndarray, options: dict[str, Any]
) -> None:
    model = Predictor(sided, CLASSES, tile=(64, 64))
    twice = join_models([model, model])
    alone = model.predict(picture, scores="probabilities", **options)
    both = twice.predict(picture, scores="probabilities", **options)
    assert (alone.labels == both.labels).mean() > 0.9999  # equal scores may change places
    np.testing.assert_allclose(alone.confidence, both.confidence, atol=1e-6)
    np.testing.assert_allclose(
        alone.scores["probabilities"], both.scores["probabilities"], atol=1e-3
    )


@pytest.mark.parametrize("second_tile", [(64, 64), (48, 96), (512, 512)])
@pytest.mark.parametrize("options", OPTIONS)
def test_the_average_is_the_mean_of_the_scores_whatever_orders_of_classes_and_tiles(
    picture: np.ndarray, options: dict[str, Any], second_tile: tuple[int, int]
) -> None:
    first, second = members(second_tile)
    mean = (scores_of(first, picture, **options) + scores_of(second, picture, **options)) / 2
    ensemble = Ensemble([first, second])
    np.testing.assert_allclose(scores_of(ensemble, picture, **options), mean, atol=1e-5)
    always = ensemble.always(**options)
    np.testing.assert_allclose(scores_of(always, picture), mean, atol=1e-5)
    result = ensemble.predict(picture, **options)
    assert (result.labels == mean.argmax(0)).mean() > 0.9999
    assert result.classes == NAMES


def test_each_model_sees_a_photo_at_the_size_of_its_own_training(picture: np.ndarray) -> None:
    first, second = members()
    second.sizes = PictureSizes(side=60, smallest=50, largest=70, framed=True)
    mean = (scores_of(first, picture) + scores_of(second, picture)) / 2
    ensemble = Ensemble([first, second])
    np.testing.assert_allclose(scores_of(ensemble, picture), mean, atol=1e-5)
    assert len(ensemble.predict(picture).notes) == 1
    assert ensemble.count_tiles((150, 170)) == first.count_tiles((150, 170)) + 1


@pytest.mark.parametrize("is_exact", [False, True])
def test_a_raster_by_window_is_the_mean_too_in_rows_no_higher_than_its_tiles(
    picture: np.ndarray, is_exact: bool
) -> None:
    first, second = members((96, 48))
    second.exact = is_exact
    plan = TilePlan(150, 170, (64, 64), 0.25, "linear")
    own = second.plan(150, 170) if is_exact else plan
    pieces = list(Ensemble([first, second]).window_pieces(picture, plan, tta=True))
    assert max(logits.shape[1] for _, _, logits in pieces) <= 64
    parts = [
        softmax(joined(list(model.window_pieces(picture, tiles, tta=True)), picture.shape))
        for model, tiles in ((first, plan), (second, own))
    ]
    mean = (parts[0] + parts[1][[TURNED.names.index(name) for name in NAMES]]) / 2
    np.testing.assert_allclose(np.exp(joined(pieces, picture.shape)), mean, atol=1e-5)


def test_tiles_that_are_nowhere_valid_count_as_no_opinion(picture: np.ndarray) -> None:
    class Holed:
        def __getitem__(self, window: tuple[slice, slice], /) -> np.ndarray:
            return picture[window]

        def valid(self, top: int, left: int, height: int, width: int) -> np.ndarray:
            return np.full((height, width), left > 64 and top > 64)

    first, second = members((96, 48))
    second.exact = True
    plan = TilePlan(150, 170, (64, 64), 0.25, "linear")
    whole = joined(list(Ensemble([first, second]).window_pieces(Holed(), plan)), picture.shape)
    np.testing.assert_allclose(np.exp(whole[:, :32, :32]), 1 / 3, rtol=1e-5)


def test_models_of_other_classes_are_refused_with_both_lists() -> None:
    model = Predictor(sided, Classes.named(("red", "green", "car")))
    with pytest.raises(ModelError, match=r"3 \(red, green, blue\).* 3 \(red, green, car\)"):
        Ensemble([Predictor(sided, CLASSES), model])


def test_models_of_files_are_averaged_whatever_their_decoders_and_runtimes(
    model_file: Callable[..., Path], exported_file: Callable[..., Path], picture: np.ndarray
) -> None:
    paths = [model_file("fcn32s"), model_file("unet", scale=0.5), exported_file(".onnx", "linknet")]
    alone = [pixelwise.load(path).predict(picture, scores="probabilities") for path in paths]
    mean = np.mean([result.scores["probabilities"] for result in alone], axis=0)
    model = pixelwise.load(paths)
    assert model.name == " + ".join(map(str, paths))
    together = model.predict(picture, scores="probabilities").scores["probabilities"]
    np.testing.assert_allclose(together, mean, atol=1e-3)


def test_nested_averages_count_every_model_alike() -> None:
    model = Predictor(sided, CLASSES)
    nested = join_models([join_models([model, model]), model])
    assert isinstance(nested, Ensemble)
    assert nested.members == (model, model, model)
    assert join_models([model]) is model


def test_what_all_models_share_of_their_reading_is_that_of_the_average() -> None:
    first, second = members()
    first.reading = {"seed": 1, "group": "a", "common_bits": 10}
    second.reading = {"seed": 2, "group": "a"}
    assert Ensemble([first, second]).reading == {"group": "a", "common_bits": 10}


def test_scores_and_thresholds_of_overlapping_classes_are_averaged(picture: np.ndarray) -> None:
    first = LayerPredictor(sided, CLASSES, thresholds=(0.2, 0.4, 0.6), tile=(64, 64))
    second = LayerPredictor(other, TURNED, thresholds=(0.3, 0.4, 0.5), tile=(64, 64))
    models = join_models([first, second])
    assert isinstance(models, LayerPredictor)
    assert models.thresholds == pytest.approx((0.3, 0.45, 0.45))
    result = models.predict_layers(picture)
    one = first.predict_layers(picture).scores.astype(float)
    two = second.predict_layers(picture).scores.astype(float)
    mean = (one + two[[TURNED.names.index(name) for name in NAMES]]) / 2
    np.testing.assert_allclose(result.scores, mean, atol=1e-3)
    with pytest.raises(ModelError, match="only models of one kind can be averaged"):
        join_models([first, Predictor(other, TURNED)])
