"""Issues collected by type and severity."""

from pathlib import Path

import pytest

from pixelwise.checks.findings import Findings
from pixelwise.datasets.issues import Issue


def test_findings_stand_worst_first_then_by_their_places() -> None:
    findings = Findings()
    findings.add([Issue("image-grey", None, "a note")])
    findings.add([Issue("mask-blank", None, "a warning")] * 2)
    findings.add([Issue("mask-void", None, "a warning")] * 3)
    findings.add([Issue("mask-lossy", None, "an error", count=7)])
    assert [(finding.id, finding.places) for finding in findings] == [
        ("mask-lossy", 1),
        ("mask-void", 3),
        ("mask-blank", 2),
        ("image-grey", 1),
    ]
    assert [finding.count for finding in findings.of("error")] == [7]


def test_an_issue_with_a_severity_of_its_own_is_a_finding_of_its_own() -> None:
    findings = Findings()
    findings.add([Issue("mask-blank", None, "x"), Issue("mask-blank", None, "y", severity="note")])
    assert [finding.severity for finding in findings] == ["warning", "note"]


def test_places_beyond_the_limit_are_counted_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelwise.checks.findings.MAX_ISSUES", 2)
    findings = Findings()
    findings.add(Issue("mask-blank", Path(f"{number}.png"), "x") for number in range(5))
    (finding,) = findings
    assert (finding.places, len(finding.issues)) == (5, 2)
