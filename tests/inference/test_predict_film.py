import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ImageError
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_film import check_film_options, find_film, predict_film
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.io.channels import Channels, ReadingRule
from pixelwise.io.read_film import FilmReader
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.reports.overlays import paint


def quarters(rgb: np.ndarray) -> np.ndarray:
    """Instead of a model: the class is the red channel's quarter."""
    return np.stack([rgb[:, 0] // 64 == quarter for quarter in range(4)], axis=1).astype(np.float32)


def predictor(runner: Any = quarters) -> Predictor:
    return Predictor(runner, Classes.named(("a", "b", "c", "d")))


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ((), 12),
        (("-vf", "select='lt(mod(n,3),2)'", "-vsync", "vfr"), 8),  # a variable rate
        (("-c", "copy", "-metadata:s:v", "rotate=90"), 12),  # a phone held upright
    ],
    ids=["plain", "variable", "turned"],
)
def test_the_painted_film_shows_each_frame_in_its_classes(
    film: Path, ffmpeg: Callable[..., None], tmp_path: Path, change: tuple[str, ...], count: int
) -> None:
    ffmpeg("-i", film, *change, tmp_path / "film.mp4")
    out = tmp_path / "painted.mp4"
    done = predict_film(predictor(), tmp_path / "film.mp4", out)
    assert (done.written, done.frames, done.failed) == ((out,), count, ())
    assert done.shares.startswith(("a ", "d "))
    with FilmReader(str(tmp_path / "film.mp4")) as before, FilmReader(str(out)) as after:
        for frame, painted in zip(before, after, strict=True):
            labels = quarters(frame.rgb.transpose(2, 0, 1)[None])[0].argmax(0).astype(np.uint8)
            expected = paint(frame.rgb, labels, predictor().classes.palette)
            # lossy, and with half the colour's pixels, but no other colours
            assert np.abs(painted.rgb.astype(int) - expected).mean() < 12
            assert frame.time == painted.time


def test_a_film_that_exists_is_replaced_where_that_is_asked_for(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"somebody's film")
    with pytest.raises(ConfigError, match="exists already; give --overwrite"):
        predict_film(predictor(), film, out, recipe=Recipe({"model": "m"}))
    assert out.read_bytes() == b"somebody's film"
    old = tmp_path / ".out.abcdefgh.mp4"  # what a killed command left
    old.write_bytes(b"half a film")
    os.utime(old, (0, 0))
    predict_film(predictor(), film, out, recipe=Recipe({"model": "m"}, overwrite=True))
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert out.stat().st_size > 100


def test_smoothing_takes_flicker_out_of_a_still_film(
    film: Path, ffmpeg: Callable[..., None], tmp_path: Path
) -> None:
    still = tmp_path / "still.mkv"
    ffmpeg("-i", film, "-vf", "trim=end_frame=1,loop=11:1", "-c:v", "ffv1", still)
    calls = list[int]()

    def flickering(rgb: np.ndarray) -> np.ndarray:
        calls.append(len(calls))
        logits = np.zeros((1, 4, *rgb.shape[2:]), np.float32)
        logits[:, 1] = 1.0
        logits[:, 2] = 2.0 if calls[-1] == 5 else 0.0
        return logits

    shares = [
        predict_film(
            predictor(flickering),
            still,
            tmp_path / f"{smooth}",
            choices=PredictOptions(smooth=smooth),
        ).shares
        for smooth in (0, 1)
        if calls.clear() is None
    ]
    assert shares == ["b 92 %, c 8 %", "b 100 %"]


@pytest.mark.parametrize("name", ["out", "out.mp4"])
def test_a_cut_film_is_labelled_up_to_there_and_counts_as_failed(
    film: Path, tmp_path: Path, recorded: Callable[[], Any], name: str
) -> None:
    cut = tmp_path / "cut.mp4"
    content = film.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10])
    progress = recorded()
    done = predict_film(predictor(), cut, tmp_path / name, progress=progress)
    assert 0 < done.frames < 12
    ((path, reason),) = done.failed
    assert path == cut
    assert f"only {done.frames} of about 12 frames can be read" in reason
    assert reason in progress.lines
    assert (tmp_path / name).exists()


def test_frames_of_an_unusual_size_are_mentioned_once(
    film: Path, tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    progress = recorded()
    small = predictor()
    small.sizes = PictureSizes(16, 16, 16, framed=True)
    predict_film(small, film, tmp_path / "out", progress=progress)
    assert [line for line in progress.lines if "much larger" in line] == [
        "its frames are much larger than the training's pictures, seen at the training's size; "
        "--scale 1 keeps the full size"
    ]


def test_a_network_of_other_bands_is_refused(film: Path, tmp_path: Path) -> None:
    infrared = predictor()
    zeros = (0.0,) * 4
    ones = (1.0,) * 4
    names = ("red", "green", "blue", "infrared")
    channels = Channels(names, (1, 2, 3, 4), zeros, ones, zeros, ones, 4, "uint16", "as set")
    infrared.reading = ReadingRule(channels=channels).to_header()
    with pytest.raises(ImageError, match=r"film\.mp4: a film has red, green and blue; the model"):
        predict_film(infrared, film, tmp_path / "out")


def test_what_is_no_film_leaves_nothing_behind(tmp_path: Path, ffmpeg: object) -> None:
    (tmp_path / "no.mp4").write_text("hello")
    for out in ("out", "out.mp4"):
        with pytest.raises(ImageError, match=r"no\.mp4: ffmpeg cannot read it"):
            predict_film(predictor(), tmp_path / "no.mp4", tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["no.mp4"]


@pytest.fixture
def plain_interrupts() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, whatever an earlier test of this process has left."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("plain_interrupts")
def test_an_interrupted_film_is_not_put_in_place(
    film: Path, tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    def interrupted(_: np.ndarray) -> np.ndarray:
        signal.raise_signal(signal.SIGINT)
        return np.zeros((1, 4, 48, 64), np.float32)

    progress = recorded()
    with pytest.raises(KeyboardInterrupt):
        predict_film(predictor(interrupted), film, tmp_path / "out.mp4", progress=progress)
    assert not list(tmp_path.iterdir())
    assert "a folder as --out keeps each mask" in progress.lines[-1]


@pytest.mark.parametrize(
    ("options", "out", "words"),
    [
        (PredictOptions(extras=("polygons",)), "out", "polygons is for photos and rasters"),
        (PredictOptions(extras=("seams",)), "out", "seams is for photos"),
        (PredictOptions(frames="all"), "out", "--frames is for pictures of several frames"),
        (PredictOptions(to="labelme"), "out", "--to labelme is for photos"),
        (PredictOptions(extras=("areas",)), "a.mp4", "--also goes with masks"),
        (PredictOptions(confidence=True), "-", "--confidence goes with masks"),
        (PredictOptions(), "a.avi", "films are written as"),
        (PredictOptions(), "./film.mp4", "would replace the film itself"),
    ],
)
def test_options_that_do_not_go_with_a_film_are_refused(
    options: PredictOptions, out: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        check_film_options(options, "film.mp4", out)


def test_a_film_is_told_from_photos(fake_ffmpeg: Callable[[str], None]) -> None:
    fake_ffmpeg("")
    plain = PredictOptions()
    assert find_film(["a.mp4"], plain, None) == "a.mp4"
    assert find_film(["-"], PredictOptions(smooth=1), "-") == "-"
    assert find_film(["a.jpg", "clip.gif", "mp4"], plain, "out") == ""
    for inputs, options, out, words in (
        (["a.mp4", "b.jpg"], plain, None, "a film is labelled by itself"),
        (["s3://bucket/a.mp4"], plain, None, "fetch it first"),
        (["a.jpg"], PredictOptions(smooth=1), None, "--smooth is for films"),
        (["a.jpg"], plain, "a.mp4", "a film is made of a film"),
    ):
        with pytest.raises(ConfigError, match=words):
            find_film(inputs, options, out)


def test_without_an_ffmpeg_it_ends_before_the_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="no ffmpeg is on the PATH"):
        find_film(["a.mp4"], PredictOptions(), None)


def test_the_guides_commands_work(
    film: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (Path(__file__).parents[2] / "docs/film.md").read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(lines) == 4
    shutil.copy(film, tmp_path / "film.mp4")
    command = shlex.join([sys.executable, "-m", "pixelwise"])
    for line in lines:
        words = line.replace("pixelwise", command).replace("runs/first", str(model))
        result = subprocess.run(
            ["bash", "-o", "pipefail", "-c", words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(pixelwise.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
    sizes = []
    for name in ("film_masks.mp4", "steady.mp4", "small.mp4"):
        with FilmReader(str(tmp_path / name)) as reader:
            frames = list(reader)
        assert len(frames) == 12
        sizes.append(frames[0].rgb.shape[:2])
    assert sizes == [(48, 64), (48, 64), (240, 320)]
    assert len(list((tmp_path / "masks").glob("0000*.png"))) == 12
    (python,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path / "masks")
    values: dict[str, Any] = {}
    exec(python.replace("runs/first", str(model)), values)
    assert values["done"].frames == 12
