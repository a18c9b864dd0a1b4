"""Every link and anchor of the pages leads somewhere; `make check` asks the same."""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs/site/links.py"))


def test_all_links_lead_somewhere(tool: dict[str, Any]) -> None:
    broken: Callable[[], Iterator[str]] = tool["broken_links"]
    assert list(broken()) == []


def test_a_lost_file_and_a_lost_anchor_are_named(tool: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/other.md").write_text("# A `--flag`, and more\n")
    (tmp_path / "README.md").write_text(
        "[file](docs/lost.md) [anchor](docs/other.md#less) [right](docs/other.md#a---flag-and-more) "
        "[web](https://example.org) `[code](x)`\n```\n[block](y)\n```\n[here](#nothing)\n"
    )
    assert list(tool["broken_links"](tmp_path)) == [
        "README.md: docs/lost.md leads nowhere",
        "README.md: docs/other.md#less leads nowhere",
        "README.md: #nothing leads nowhere",
    ]
