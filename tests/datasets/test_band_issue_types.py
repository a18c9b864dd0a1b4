from pixelwise.datasets.band_issue_types import BAND_TYPES
from pixelwise.datasets.issue_types import ISSUE_TYPES


def test_they_are_among_all_types() -> None:
    assert BAND_TYPES
    assert BAND_TYPES.items() <= ISSUE_TYPES.items()
