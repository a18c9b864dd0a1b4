import re

import pixelwise
from pixelwise.cli.api_reference import api_page, findings_page
from pixelwise.datasets.issue_types import ISSUE_TYPES


def test_every_public_name_has_an_entry_with_its_text() -> None:
    entries = dict(re.findall(r"^### (\w+)\n\n```py\n.*?```\n\n(.*?)$", api_page(), re.M | re.S))
    assert set(pixelwise.__all__) - {"__version__"} <= set(entries)
    assert all(entries.values())


def test_a_signature_leaves_options_to_the_configuration() -> None:
    train = re.search(r"^train\(\n(.*?)^\) -> Run$", api_page(), re.M | re.S)
    assert train is not None
    assert train[1].splitlines()[0] == "    data: str | Path,"
    assert "resume: bool = False" in train[1]
    assert "learning_rate" not in train[1]
    assert train[1].splitlines()[-1] == "    **options,"


def test_every_finding_stands_below_its_severity() -> None:
    parts = re.split(r"^## (\w+)s$", findings_page(), flags=re.M)[1:]
    listed = {}
    for severity, text in zip(parts[::2], parts[1::2], strict=True):
        listed |= dict.fromkeys(re.findall(r"^### (\S+)$", text, re.M), severity.lower())
    assert listed == {name: issue.severity for name, issue in ISSUE_TYPES.items()}
