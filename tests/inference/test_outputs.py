from collections.abc import Callable
from pathlib import Path

import pytest

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions


def names(paths: object) -> list[str]:
    return [path.name for path in paths]  # type: ignore[attr-defined]


def test_existing_masks_are_skipped_and_those_of_another_model_refused(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    out = tmp_path / "out"
    images = [picture(f"{name}.png", 20 + n, 30) for n, name in enumerate("abc")]
    predictor = pixelwise.load(model_file())
    recipe = Recipe.of(model_file(), overwrite=False, tta=False)
    first = predict_files(predictor, images[:2], out, recipe=recipe)
    assert names(first.written) == ["a.png", "b.png"]
    (out / "a.png").unlink()
    stamp = (out / "b.png").stat().st_mtime_ns
    second = predict_files(predictor, images, out, recipe=recipe)
    assert names(second.written) == ["a.png", "c.png"]
    assert second.skipped == (images[1],)
    assert (out / "b.png").stat().st_mtime_ns == stamp
    other = Recipe.of(model_file("fcn16s"), overwrite=False, tta=False)
    with pytest.raises(ConfigError, match="masks of 3 of these images, made with another model"):
        predict_files(predictor, images, out, recipe=other)
    anew = predict_files(predictor, images, out, recipe=Recipe(other.made_with, overwrite=True))
    assert len(anew.written) == 3
    with_overlay = predict_files(
        predictor, images, out, choices=PredictOptions(overlay=True), recipe=other
    )
    assert len(with_overlay.written) == 3  # their overlays did not exist yet


def test_a_stopped_overwrite_leaves_no_mask_of_the_other_model(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    """Killed after the first of two images, and started again without --overwrite: the second is
    made again as well.
    """
    out = tmp_path / "out"
    images = [picture(f"{name}.png", 20, 30) for name in "ab"]
    old, new = (model_file(decoder) for decoder in ("fcn32s", "fcn16s"))
    first, second = (Recipe.of(model, overwrite=False) for model in (old, new))
    predict_files(pixelwise.load(old), images, out, recipe=first)
    predictor = pixelwise.load(new)
    predict_files(predictor, images[:1], out, recipe=Recipe(second.made_with, overwrite=True))
    again = predict_files(predictor, images, out, recipe=second)
    assert names(again.written) == ["b.png"]
    assert again.skipped == (images[0],)
