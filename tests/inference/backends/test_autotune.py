import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwise
from pixelwise.errors import ModelError
from pixelwise.inference.backends.autotune import AutoRunner, Trial, rank, try_runners
from pixelwise.inference.backends.choices import Choices
from pixelwise.inference.threads import WORKERS
from pixelwise.inference.tta import Runner, release_memory, specialize_for_shape
from pixelwise.io.cache import cache_folder

pytestmark = pytest.mark.usefixtures("own_cache")

TILE = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8), np.uint8)


def as_floats(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.float32)


def choices_in(folder: Path, name: str = "choice") -> Choices:
    return Choices(folder / f"{name}-model.json", folder / f"{name}-network.json")


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
    choice = choices_in(tmp_path)
    tile = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), np.uint8)
    runner = AutoRunner(candidates, choices=choice, progress=progress)  # type: ignore[arg-type]
    assert np.array_equal(runner(tile), as_floats(tile) + 1)
    assert progress.lines[0].startswith("runtime quick: the fastest whose labels agree")
    built.clear()
    again = AutoRunner(candidates, choices=choice, progress=progress)  # type: ignore[arg-type]
    assert np.array_equal(again(tile), as_floats(tile) + 1)
    assert built == ["quick"]
    for damaged in ("", "{", '{"runtimes": ["gone"]}', "[1]"):
        choice.of_model.write_text(damaged)
        choice.of_network.write_text(damaged)
        anew = AutoRunner(candidates, choices=choice, progress=progress)  # type: ignore[arg-type]
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
        choices=choices_in(tmp_path),
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
        runner = AutoRunner(candidates, choices=choices_in(tmp_path, name), progress=progress)  # type: ignore[arg-type]
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
        candidates, choices=choices_in(tmp_path), progress=progress, precision="bfloat16"
    )  # type: ignore[arg-type]
    assert not runner(TILE).any()  # labels of zeros are all 0, those of the other are never right
    assert progress.lines[0].startswith(
        "runtime openvino bfloat16: of bfloat16 the nearest, as none agrees"
    )


def failing(rgb: np.ndarray) -> np.ndarray:
    raise ModelError("cannot be compiled")


def not_made() -> Runner:
    raise OSError("libonnx.so: cannot open shared object file")


@pytest.mark.parametrize("second", [lambda: failing, not_made])
def test_where_a_remembered_runtime_cannot_run_the_next_one_does(
    second: Callable[[], Runner], tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    choices = choices_in(tmp_path)
    choices.save(["gone", "second", "third"], for_network=True)
    candidates = {
        "second": second,
        "third": lambda: as_floats,
        "torch float32": lambda: pytest.fail("not needed"),
    }
    progress = recorded()
    runner = AutoRunner(candidates, choices=choices, progress=progress)
    for tile in (TILE, TILE + 1):
        assert np.array_equal(runner(tile), tile)
    assert np.array_equal(specialize_for_shape(runner)(TILE), TILE)
    lines = [line for line in progress.lines if "left out" in line]
    assert lines[0] == ("runtime gone left out: gone is not installed; second takes its place")
    assert lines[1].startswith("runtime second left out: ")
    assert lines[1].endswith("; third takes its place")
    assert len(lines) == 2
    assert choices.load() == []  # the next command measures


def test_a_runtime_taken_unmeasured_gives_way_and_pytorchs_error_is_the_last(
    tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    works = [True]

    def on_torch(rgb: np.ndarray) -> np.ndarray:
        if works[0]:
            return as_floats(rgb)
        raise ModelError("PyTorch cannot")

    candidates = {"soon": lambda: failing, "torch float32": lambda: on_torch}
    progress = recorded()
    runner = AutoRunner(candidates, choices=choices_in(tmp_path), progress=progress, order=["soon"])
    assert np.array_equal(runner(TILE), TILE)
    assert progress.lines == [
        "runtime soon left out: cannot be compiled; torch float32 takes its place"
    ]
    works[0] = False
    with pytest.raises(ModelError, match="PyTorch cannot"):
        runner(TILE)
    works[0] = True
    assert np.array_equal(runner(TILE), TILE)


def test_pytorch_is_asked_only_where_two_runtimes_disagree(
    tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    for factor, chosen in ((1, "a float32"), (-1, "torch float32")):
        asked = []
        candidates = {
            "a float32": lambda factor=factor: lambda rgb: as_floats(rgb) * factor,
            "b float32": lambda: lambda rgb: time.sleep(0.01) or as_floats(rgb),
            "torch float32": lambda asked=asked: asked.append(1) or as_floats,
        }
        progress = recorded()
        runner = AutoRunner(
            candidates,
            choices=choices_in(tmp_path, chosen),
            progress=progress,
            tried=lambda: ["a float32", "b float32"],
        )
        assert np.array_equal(runner(TILE), TILE)
        assert bool(asked) == (factor == -1)
        assert progress.lines[0].startswith(f"runtime {chosen}: the fastest")


def test_a_candidate_that_fails_at_its_first_tile_is_left_out(
    tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    candidates = {"torch float32": lambda: as_floats, "other": lambda: failing}
    progress = recorded()
    runner = AutoRunner(candidates, choices=choices_in(tmp_path), progress=progress)  # type: ignore[arg-type]
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
    monkeypatch.setattr("pixelwise.inference.backends.choices.openvino_has_bfloat16", lambda: True)
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
    monkeypatch.setattr("pixelwise.inference.backends.choices.openvino_has_bfloat16", lambda: True)
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
    assert rank(trials) == ["right", "torch float32", "slow"]


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
