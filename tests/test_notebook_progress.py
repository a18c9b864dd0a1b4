"""What a notebook shows of long work."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import pixelwise
from pixelwise import notebook_progress
from pixelwise.notebook_progress import NotebookProgress, default_progress
from pixelwise.progress import Progress


class Handle:
    """A cell's output that is replaced."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, content: str) -> None:
        self.shown.append(content)


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Handle:
    """A kernel's display, as IPython has it."""
    handle = Handle()
    display = SimpleNamespace(HTML=str, display=lambda content, display_id: handle)
    kernel = SimpleNamespace(kernel=object())
    module = SimpleNamespace(get_ipython=lambda: kernel, display=display)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr(notebook_progress, "_PAUSE", 0)
    return handle


def test_a_notebook_sees_lines_and_a_bar_that_goes(
    output: Handle, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = default_progress()
    assert isinstance(progress, NotebookProgress)
    progress.log("first")
    progress.log_section("Data")
    progress.log("images: 3")
    seen = []
    for item in progress.track([1, 2, 3], what="<train>", total=6, weight=2):
        progress.set_postfix("loss 0.5")
        time.sleep(0.001)
        seen.append(item)
    assert seen == [1, 2, 3]
    assert capsys.readouterr().out == "first\n\nData\n  images: 3\n"
    *bars, last = output.shown
    assert [bar.count('max="6"') for bar in bars] == [1, 1, 1]
    assert "&lt;train&gt;" in bars[0]
    assert "4/6 images" in bars[1]
    assert bars[2].endswith("/s, loss 0.5</label>")
    assert last == ""


def test_a_bar_goes_with_what_it_shows(output: Handle) -> None:
    bar = NotebookProgress().track([1, 2], what="a", total=2)
    next(bar)
    bar.close()
    assert output.shown == [""]


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_elsewhere_it_is_silent(monkeypatch: pytest.MonkeyPatch, shell: object) -> None:
    module = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", module)
    assert type(default_progress()) is Progress


def test_functions_show_in_a_notebook_how_far_they_are(
    output: Handle, shapes: Path, tmp_path: Path
) -> None:
    pixelwise.predict("animals", shapes / "images/test", tmp_path / "masks")
    assert any("<progress max=" in shown for shown in output.shown)
