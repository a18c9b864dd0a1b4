import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwise
from pixelwise.errors import ModelError
from pixelwise.inference.backends.autotune import AutoRunner, Trial, choose_fastest, try_runners
from pixelwise.inference.threads import WORKERS
from pixelwise.inference.tta import Runner, release_memory, specialize_for_shape
from pixelwise.io.cache import cache_folder

pytestmark = pytest.mark.usefixtures("own_cache")

TILE = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8), np.uint8)


def as_floats(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.float32)


def test_auto_measures_once_and_remembers(tmp_path: Path, recorded: Callable[[], Any]) -> None:
    def slow(rgb: np.ndarray) -> np.ndarray:
        time.sleep(0.01)
        return as_floats(rgb)

    built = []

    def candidate(name: str, runner: object) -> object:
        return lambda: built.append(name) or runner

    candidates = {
        "torch float32": candidate("torch float32", slow),
        "quick": candidate("quick", lambda rgb: as_floats(rgb) + 1),
        "wrong": candidate("wrong", lambda rgb: -as_floats(rgb)),
    }
    progress = recorded()
    choice = tmp_path / "choice.json"
    tile = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), np.uint8)
    runner = AutoRunner(candidates, remembered=choice, progress=progress)  # type: ignore[arg-type]
    assert np.array_equal(runner(tile), as_floats(tile) + 1)
    assert progress.lines[0].startswith("runtime quick: the fastest whose labels agree")
    built.clear()
    again = AutoRunner(candidates, remembered=choice, progress=progress)  # type: ignore[arg-type]
    assert np.array_equal(again(tile), as_floats(tile) + 1)
    assert built == ["quick"]
    for damaged in ("", "{", '{"runtime": "gone"}', "[1]"):
        choice.write_text(damaged)
        anew = AutoRunner(candidates, remembered=choice, progress=progress)  # type: ignore[arg-type]
        assert np.array_equal(anew(tile), as_floats(tile) + 1)


class Hoarder:
    """A runner that keeps memory until it is told."""

    released = 0

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        return as_floats(rgb)

    def release_memory(self) -> None:
        self.released += 1


def test_the_memory_that_a_runner_keeps_is_given_back(
    tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    hoarder = Hoarder()
    chosen = AutoRunner(
        {"torch float32": lambda: hoarder},
        remembered=tmp_path / "choice.json",
        progress=recorded(),
    )
    release_memory(chosen)  # before anything was chosen
    chosen(TILE)
    release_memory(chosen)
    release_memory(lambda rgb: rgb)  # keeps nothing
    assert hoarder.released == 1


def test_auto_tries_its_candidates_as_they_will_be_used(
    tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    class Both:
        def __init__(self, pause: float, steady_pause: float) -> None:
            self.pauses = pause, steady_pause

        def __call__(self, rgb: np.ndarray) -> np.ndarray:
            time.sleep(self.pauses[0])
            return as_floats(rgb)

        def specialize_for_shape(self) -> Runner:
            return Both(self.pauses[1], self.pauses[1])

    candidates = {"torch float32": lambda: Both(0.01, 0.01), "other": lambda: Both(0.02, 0.0)}
    for use, name in (specialize_for_shape, "other"), (lambda runner: runner, "torch float32"):
        progress = recorded()
        runner = AutoRunner(candidates, remembered=tmp_path / f"{name}.json", progress=progress)  # type: ignore[arg-type]
        assert np.array_equal(use(runner)(TILE), TILE)  # type: ignore[operator]
        assert progress.lines[0].startswith(f"runtime {name}: the fastest")


def test_auto_takes_the_nearest_where_none_of_a_given_precision_agrees(
    tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    factors = {"torch float32": 1.0, "torch bfloat16": -1.0, "openvino bfloat16": 0.0}
    candidates = {
        name: lambda factor=factor: lambda rgb: rgb * np.float32(factor)
        for name, factor in factors.items()
    }
    progress = recorded()
    runner = AutoRunner(
        candidates, remembered=tmp_path / "a.json", progress=progress, precision="bfloat16"
    )  # type: ignore[arg-type]
    assert not runner(TILE).any()  # labels of zeros are all 0, those of the other are never right
    assert progress.lines[0].startswith(
        "runtime openvino bfloat16: of bfloat16 the nearest, as none agrees"
    )


def test_a_candidate_that_fails_at_its_first_tile_is_left_out(
    tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    def failing(rgb: np.ndarray) -> np.ndarray:
        raise ModelError("cannot be compiled")

    candidates = {"torch float32": lambda: as_floats, "other": lambda: failing}
    progress = recorded()
    runner = AutoRunner(candidates, remembered=tmp_path / "choice.json", progress=progress)  # type: ignore[arg-type]
    assert np.array_equal(runner(TILE), TILE)
    assert progress.lines[0] == "runtime other left out: cannot be compiled"


def test_auto_on_a_real_model_agrees_and_its_damaged_cache_is_made_again(
    model_file: Callable[..., Path],
    picture: Callable[..., Path],
    own_cache: Path,
    recorded: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # also where it is emulated
    monkeypatch.setattr("pixelwise.inference.load.cpu_has_bfloat16", lambda: True)
    model = model_file("fcn8s")
    progress = recorded()
    source = picture("a.png", 60, 90)
    expected = pixelwise.load(model).predict(source).labels
    labels = pixelwise.load(model, runtime="auto", progress=progress).predict(source).labels
    assert (labels == expected).mean() > 0.99
    assert "openvino bfloat16" in progress.lines[0]
    assert "onnxruntime float32" in progress.lines[0]
    (network,) = own_cache.glob("*.onnx")
    network.write_bytes(b"damaged")
    for runtime in ("onnxruntime", "openvino"):
        labels = pixelwise.load(model, runtime=runtime).predict(source).labels
        assert (labels == expected).mean() > 0.999
        network.write_bytes(b"damaged again")
    pixelwise.load(model, runtime="openvino").predict(source)
    whole = network.read_bytes()
    half = len(whole) // 2
    network.write_bytes(whole[:half] + bytes(100_000) + whole[half + 100_000 :])
    labels = pixelwise.load(model, runtime="openvino").predict(source).labels
    assert (labels == expected).mean() > 0.999
    assert network.read_bytes() == whole
    assert cache_folder() == own_cache


def test_auto_keeps_to_a_precision_that_is_given(
    model_file: Callable[..., Path],
    picture: Callable[..., Path],
    own_cache: Path,
    recorded: Callable[[], Any],
) -> None:
    model = model_file("fcn8s")
    progress = recorded()
    source = picture("a.png", 60, 90)
    for precision in ("float32", "bfloat16"):
        progress.lines.clear()
        predictor = pixelwise.load(model, runtime="auto", precision=precision, progress=progress)
        predictor.predict(source)
        assert progress.lines[0].startswith("runtime ")
        assert progress.lines[0].split()[2] == f"{precision}:"
        assert list(own_cache.glob(f"*-{precision}.json"))


def test_a_cache_that_cannot_be_written_leaves_pytorch(
    tmp_path: Path,
    model_file: Callable[..., Path],
    picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    recorded: Callable[[], Any],
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("pixelwise.inference.load.cpu_has_bfloat16", lambda: True)
    progress = recorded()
    source = picture("a.png", 40, 40)
    labels = pixelwise.load(model_file(), runtime="auto", progress=progress).predict(source).labels
    assert (labels == pixelwise.load(model_file()).predict(source).labels).mean() > 0.99
    left_out = [
        line
        for line in progress.lines
        if line.startswith("runtime o") and " left out: cannot write" in line
    ]
    assert len(left_out) == 3


def test_the_fastest_of_those_that_agree_is_kept() -> None:
    trials = {
        "torch float32": Trial(1.0, 1.0),
        "wrong": Trial(0.1, 0.98),
        "right": Trial(0.5, 0.996),
        "slow": Trial(2, 1),
    }
    assert choose_fastest(trials) == "right"


def test_a_runner_far_behind_is_measured_once() -> None:
    calls: Counter[str] = Counter()

    def runner(name: str, pause: float) -> Runner:
        def run(rgb: np.ndarray) -> np.ndarray:
            calls[name] += 1
            time.sleep(pause)
            return as_floats(rgb)

        return run

    tile = np.zeros((1, 3, 32, 32), np.uint8)
    pauses = {"quick": 0.002, "slow": 0.2}
    runners = {name: runner(name, pause) for name, pause in pauses.items()}
    trials = try_runners(runners, tile, reference="slow")
    assert trials["slow"].seconds > trials["quick"].seconds
    assert calls["slow"] == 1 + WORKERS  # its labels, and one measurement
    assert calls["quick"] > 1 + 2 * WORKERS
