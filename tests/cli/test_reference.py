from pathlib import Path

import pytest

from pixelwise.cli.reference import PAGES, cli_page, config_page

REFERENCE = Path(__file__).parents[2] / "docs/reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_pages_are_up_to_date(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name](), (
        "run `python -m pixelwise.cli.reference docs/reference`"
    )


def test_every_option_has_a_text() -> None:
    for page in (config_page(), cli_page()):
        rows = [line for line in page.splitlines() if line.startswith("| `")]
        assert len(rows) > 50
        assert not [row for row in rows if row.endswith("|  |")]
