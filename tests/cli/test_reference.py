import runpy
from pathlib import Path

import numpy as np
import pytest

from pixelwise.cli.reference import PAGES, cli_page, config_page
from pixelwise.datasets.issue_types import ISSUE_TYPES

REFERENCE = Path(__file__).parents[2] / "docs/reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_pages_are_up_to_date(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name](REFERENCE), (
        "run `python -m pixelwise.cli.reference docs/reference`"
    )


def test_every_option_has_a_text() -> None:
    for page in (config_page(), cli_page()):
        rows = [line for line in page.splitlines() if line.startswith("| `")]
        assert len(rows) > 50
        assert not [row for row in rows if row.endswith("|  |")]


def test_each_picture_shows_a_finding_and_no_two_are_alike() -> None:
    drawn = runpy.run_path(str(REFERENCE / "pictures.py"))["drawings"]()
    files = list((REFERENCE / "findings").glob("*.png"))
    assert set(drawn) == {path.stem for path in files}, "run docs/reference/pictures.py"
    assert set(drawn) <= set(ISSUE_TYPES)
    assert len({b"".join(map(np.ndarray.tobytes, tiles)) for tiles in drawn.values()}) == len(drawn)
    assert sum(path.stat().st_size for path in files) < 300_000
