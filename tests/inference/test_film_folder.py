import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, OutputError
from pixelwise.inference.film_folder import FilmFolder, choose_film_folder
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_film import predict_film
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.progress import Progress

RECIPE = Recipe({"model": "m"})
NAMES = [f"{number:06}" for number in range(1, 13)]


class Counted:
    """Instead of a model: the class is the red channel's quarter; calls are counted."""

    def __init__(self, allowed: int = 1000) -> None:
        self.calls = 0
        self.allowed = allowed

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.calls > self.allowed:
            raise OutputError("stopped")
        quarters = [rgb[:, 0] // 64 == quarter for quarter in range(4)]
        return np.stack(quarters, axis=1).astype(np.float32)


def predictor(runner: Counted | None = None) -> Predictor:
    return Predictor(runner or Counted(), Classes.named(("a", "b", "c", "d")))


def masks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def test_each_frame_has_a_mask_a_time_and_what_else_is_chosen(film: Path, tmp_path: Path) -> None:
    choices = PredictOptions(overlay=True, confidence=True, extras=("areas", "probabilities"))
    done = predict_film(predictor(), film, tmp_path / "out", choices=choices, recipe=RECIPE)
    assert [path.name for path in done.written] == [f"{name}.png" for name in NAMES]
    assert done.frames == 12
    for ending in (".png", "_overlay.jpg", "_confidence.png", "_probabilities.npz"):
        assert all((tmp_path / f"out/{name}{ending}").is_file() for name in NAMES)
    with (tmp_path / "out/frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["mask"] for row in rows] == [f"{name}.png" for name in NAMES]
    seconds = [float(row["seconds"]) for row in rows]
    np.testing.assert_allclose(seconds, np.arange(12) * 1001 / 30000, atol=1e-6)
    areas = (tmp_path / "out/areas.csv").read_text()
    assert all(f"{name}.png," in areas for name in NAMES)


@pytest.mark.parametrize("smooth", [0, 2])
def test_a_stopped_command_goes_on_and_ends_with_the_same_masks(
    film: Path, tmp_path: Path, smooth: int
) -> None:
    choices = PredictOptions(smooth=smooth)
    predict_film(predictor(), film, tmp_path / "whole", choices=choices, recipe=RECIPE)
    with pytest.raises(OutputError, match="stopped"):
        predict_film(predictor(Counted(9)), film, tmp_path / "out", choices=choices, recipe=RECIPE)
    count = len(masks(tmp_path / "out"))
    assert 0 < count < 12
    runner = Counted()
    done = predict_film(predictor(runner), film, tmp_path / "out", choices=choices, recipe=RECIPE)
    assert len(done.skipped) == count
    assert len(done.written) == 12 - count
    assert runner.calls <= 12 - count + 2 * smooth
    assert masks(tmp_path / "out") == masks(tmp_path / "whole")
    again = predict_film(
        predictor(Counted(0)), film, tmp_path / "out", choices=choices, recipe=RECIPE
    )
    assert (len(again.written), len(again.skipped)) == (0, 12)


def test_masks_of_another_film_or_recipe_are_refused(
    film: Path, ffmpeg: Callable[..., None], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    shutil.copy(film, copy)
    out = tmp_path / "out"
    predict_film(predictor(), copy, out, recipe=RECIPE)
    with pytest.raises(ConfigError, match="made with another model or other options"):
        predict_film(predictor(), copy, out, recipe=Recipe({"model": "n"}))
    other = tmp_path / "other.mp4"
    ffmpeg("-i", film, "-vf", "negate", other)
    with pytest.raises(ConfigError, match=r"has a mask 000001\.png of .*copy\.mp4"):
        predict_film(predictor(), other, out, recipe=RECIPE)
    before = masks(out)
    done = predict_film(predictor(), other, out, recipe=replace(RECIPE, overwrite=True))
    assert len(done.written) == 12
    assert masks(out) != before
    # one that has changed is labelled again
    shutil.copy(film, other)
    done = predict_film(predictor(), other, out, recipe=RECIPE)
    assert len(done.written) == 12
    assert masks(out) == before


def test_standard_input_does_not_go_on(film: Path, tmp_path: Path) -> None:
    predict_film(predictor(), film, tmp_path, recipe=RECIPE)
    folder = FilmFolder("-", str(tmp_path), PredictOptions(), RECIPE, Progress())
    assert not folder.is_free()
    with pytest.raises(ConfigError, match=r"has masks of frames.*--overwrite"):
        folder.check()
    FilmFolder(
        "-", str(tmp_path), PredictOptions(), replace(RECIPE, overwrite=True), Progress()
    ).check()


def test_without_out_the_first_free_folder_is_taken(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    choose = lambda recipe: choose_film_folder(str(film), PredictOptions(), recipe, Progress())  # noqa: E731
    assert choose(RECIPE) == "labelled"
    predict_film(predictor(), film, recipe=RECIPE)
    assert choose(RECIPE) == "labelled"
    assert choose(Recipe({"model": "n"})) == "labelled-2"


def test_a_store_is_refused(film: Path) -> None:
    with pytest.raises(ConfigError, match="go to a folder on disk"):
        FilmFolder(str(film), "memory://masks", PredictOptions(), RECIPE, Progress())


def test_masks_are_those_of_the_frames_as_photos(
    film: Path, ffmpeg: Callable[..., None], tmp_path: Path
) -> None:
    ffmpeg("-i", film, "-pix_fmt", "rgb24", tmp_path / "%06d.png")
    predict_film(predictor(), film, tmp_path / "out")
    for name in NAMES:
        expected = predictor().predict(tmp_path / f"{name}.png").labels
        with Image.open(tmp_path / f"out/{name}.png") as mask:
            np.testing.assert_array_equal(np.asarray(mask), expected)
