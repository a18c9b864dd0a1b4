from pathlib import Path
from typing import Any

import pytest

from pixelwise.cli import help_pages
from pixelwise.cli.main import turn_help
from pixelwise.errors import PixelwiseError

DOCS = Path(__file__).parents[2] / "docs"


def test_every_page_is_listed_by_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    help_pages.help_pages()
    lines = capsys.readouterr().out.splitlines()
    topics = [line.split()[0] for line in lines if line.startswith("  ")]
    assert topics == sorted(path.stem for path in DOCS.rglob("*.md"))
    assert ["formats", "Formats"] in [line.split() for line in lines]


def test_a_page_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    help_pages.help_pages("formats")
    assert capsys.readouterr().out == (DOCS / "formats.md").read_text(encoding="utf-8")


def test_an_unknown_topic_names_the_nearest() -> None:
    with pytest.raises(PixelwiseError, match=r"'formas'.*'formats'"):
        help_pages.help_pages("formas")


def test_help_of_a_command_is_that_of_the_command() -> None:
    assert turn_help(["help", "train"]) == ["train", "--help"]
    assert turn_help(["help", "explain", "scores"]) == ["explain", "scores", "--help"]
    assert turn_help(["help", "formats"]) == ["help", "formats"]
    assert turn_help(["help", "label"]) == ["help", "label"]  # a page has that name too
    assert turn_help(["train", "help"]) == ["train", "help"]


def test_a_wheel_has_all_pages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Entry:
        def __init__(self, name: str) -> None:
            self.name = name
            self.suffix = Path(name).suffix

        def as_posix(self) -> str:
            return f"../../../share/pixelwise/docs/{self.name}"

        def locate(self) -> Path:
            return tmp_path / self.name

    monkeypatch.setattr(help_pages, "__file__", str(tmp_path / "a/b/c/d.py"))
    monkeypatch.setattr(help_pages, "files", lambda _: [Entry("formats.md"), Entry("x.py")])
    assert help_pages.find_pages() == {"formats": tmp_path / "formats.md"}


def test_help_pages_by_command(pixelwise: Any) -> None:
    assert "Usage: " in pixelwise("help", "convert").stdout
    assert "convert [OPTIONS]" in pixelwise("help", "convert").stdout
