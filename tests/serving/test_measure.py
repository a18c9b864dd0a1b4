"""Runtimes measured behind the server."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pixelwise.inference.backends.autotune import AutoRunner
from pixelwise.inference.backends.choices import Choices
from pixelwise.progress import Progress
from pixelwise.serving import Settings, measure
from pixelwise.serving.measure import Measurement, begin_at_once, main
from pixelwise.serving.server import serve

from .conftest import by_brightness, predictor_of, wait_until

CANDIDATES = {"torch float32": lambda: by_brightness, "fast float32": lambda: faster}


def faster(rgb: np.ndarray) -> np.ndarray:
    return 2 * by_brightness(rgb)


def auto_runner(remembered: Path, soonest: str = "torch float32") -> AutoRunner:
    choices = Choices(remembered, remembered.with_suffix(".network"))
    return AutoRunner(CANDIDATES, choices=choices, progress=Progress(), soonest=[soonest])


def python(program: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", f"import sys; {program}", *map(str, arguments)]


def test_a_model_answers_with_the_soonest_and_later_with_what_another_process_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = tmp_path / "choice.json"
    predictor = predictor_of(auto_runner(choice))
    unmeasured = begin_at_once({"a": predictor, "b": predictor_of()})
    assert list(unmeasured) == ["a"]
    assert predictor.runner.runner is by_brightness
    write = python(
        "open(sys.argv[1], 'w').write(sys.argv[2])", choice, '{"runtimes": ["fast float32"]}'
    )
    monkeypatch.setattr(measure, "_command", lambda _: write)
    with Measurement(unmeasured):
        wait_until(lambda: predictor.runner.runner is predictor.runner.auto)
    tile = np.zeros((1, 3, 4, 4), np.uint8)
    assert (predictor.runner(tile) == faster(tile)).all()


def test_a_measurement_that_fails_changes_nothing_and_one_that_goes_on_ends_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmeasured = begin_at_once(
        {name: predictor_of(auto_runner(tmp_path / name)) for name in ("a", "b")}
    )
    waits = threading.Event()

    def command(_: object) -> list[str]:
        if not waits.is_set():
            waits.set()
            return python("sys.exit(1)")
        return python("import time; time.sleep(600)")

    monkeypatch.setattr(measure, "_command", command)
    measurement = Measurement(unmeasured)
    with measurement:
        wait_until(lambda: measurement._process is not None and waits.is_set())
    assert measurement._process.wait(10)
    assert {predictor.runner.runner for predictor in unmeasured.values()} == {by_brightness}


def test_one_without_the_soonest_begins_with_the_reference(tmp_path: Path) -> None:
    assert auto_runner(tmp_path / "none", "gone float32").make_soonest() is by_brightness
    assert auto_runner(tmp_path / "none", "fast float32").make_soonest() is faster


def test_a_first_start_says_that_it_measures_and_a_second_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "signal.signal",
        "gc.freeze",
        "gc.set_threshold",
        "pixelwise.serving.server._log_to_stderr",
    ):
        monkeypatch.setattr(name, lambda *_: None)
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    monkeypatch.setattr(measure, "_command", lambda _: python("pass"))
    for start in range(2):
        lines: list[str] = []
        predictors = {"a": predictor_of(auto_runner(tmp_path / "choice.json"))}
        serve(predictors, Settings(), host="127.0.0.1", port=0, log=lines.append)
        assert lines[-1].startswith("serving a on http://127.0.0.1:")
        assert [line.startswith("first start with a") for line in lines[:-1]] == [True][start:]
        (tmp_path / "choice.json").write_text(json.dumps({"runtimes": ["torch float32"]}))


def test_the_program_measures_at_the_tile_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    ran: list[tuple[int, ...]] = []

    def runner(rgb: np.ndarray) -> np.ndarray:
        ran.append(rgb.shape)
        return by_brightness(rgb)

    def load(model: str, **options: object) -> Callable[..., object]:
        asked.append((model, options))
        return predictor_of(runner)

    monkeypatch.setattr(measure, "load", load)
    monkeypatch.setattr("os.nice", lambda _: 0, raising=False)
    main("runs/1", "", "512", "640")
    assert asked == [
        ("runs/1", {"runtime": "auto", "precision": None, "tile": (512, 640), "layers": True})
    ]
    # alone, and as one of several
    assert ran == [(1, 3, 480, 640)] * 2
