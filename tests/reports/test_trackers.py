"""Trackers told of a training; one that fails is named and left out."""

from pathlib import Path

import pytest

from pixelwise.errors import ConfigError
from pixelwise.reports import trackers
from pixelwise.reports.trackers import TRACKERS, Trackers, require_trackers
from pixelwise.training.run_options import RunOptions


class Listener:
    """A tracker that writes down what it is told, and fails where it is to."""

    calls: list[tuple[object, ...]]
    fails = False

    def __init__(self, run: Path, settings: dict[str, object]) -> None:
        type(self).calls = [(run.name, settings)]

    def write_epoch(self, row: dict[str, float], samples: Path | None) -> None:
        if self.fails:
            raise RuntimeError("no server\nat all")
        self.calls.append((row["epoch"], samples))

    def finish(self, figures: dict[str, float], files: list[Path], *, stopped: bool) -> None:
        self.calls.append((figures, files, stopped))


class Failing(Listener):
    fails = True


def test_each_is_told_and_one_that_fails_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(trackers.TRACKERS, "a", Failing)
    monkeypatch.setitem(trackers.TRACKERS, "b", Listener)
    lines: list[str] = []
    told = Trackers(["a", "b"], tmp_path / "run", {"epochs": 2}, lines.append)
    for epoch in (1, 2):
        told.write_epoch({"epoch": epoch}, None)
    told.finish({"best_epoch": 2}, [tmp_path], stopped=True)
    assert lines == ["a: no server; the training goes on without it"]
    assert Failing.calls == [("run", {"epochs": 2})]
    assert Listener.calls == [
        ("run", {"epochs": 2}),
        (1, None),
        (2, None),
        ({"best_epoch": 2}, [tmp_path], True),
    ]


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_a_tracker_is_an_option_and_its_package_an_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert RunOptions(**{name: True}).trackers == [name]  # type: ignore[arg-type]
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ConfigError, match=rf"pip install 'pixelwise\[{name}\]'"):
        require_trackers([name])
