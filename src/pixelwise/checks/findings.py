"""What was found in a data set, by type of issue and severity."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pixelwise.datasets.issue_types import ISSUE_TYPES, IssueType, Severity
from pixelwise.datasets.issues import Issue, printable_path

MAX_ISSUES = 10_000
"""Issues of one type that are kept; the rest is only counted, so that memory stays bounded."""

ORDER: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass
class Finding:
    """All issues of one type and severity: `places` is their number, `issues` at most MAX_ISSUES of
    them.
    """

    id: str
    severity: Severity
    type: IssueType
    places: int = 0
    count: int = 0
    issues: list[Issue] = field(default_factory=list)

    def as_dict(self, root: Path) -> dict[str, object]:
        """JSON values; paths are relative to `root` where they lie in it."""
        return {
            "id": self.id,
            "severity": self.severity,
            "title": self.type.title,
            "fix": self.type.fix,
            "mended_by_fix": self.type.repaired,
            "places": self.places,
            "count": self.count,
            "hits": [_issue_as_dict(issue, root) for issue in self.issues],
        }


def _issue_as_dict(issue: Issue, root: Path) -> dict[str, object]:
    # None stays null: an issue of the whole set has no file, one of a file no position.
    return {
        "file": printable_path(issue.file, root) if issue.file else None,
        "text": issue.text,
        "position": list(issue.position) if issue.position else None,
        "count": issue.count,
    }


class Findings:
    """Collects issues, by type and severity."""

    def __init__(self) -> None:
        self._findings: dict[tuple[str, Severity], Finding] = {}

    def add(self, issues: Iterable[Issue]) -> None:
        """Take up issues; an issue's own severity goes before its type's."""
        for issue in issues:
            type = ISSUE_TYPES[issue.type]
            severity = issue.severity or type.severity
            key = (issue.type, severity)
            if key not in self._findings:
                self._findings[key] = Finding(issue.type, severity, type)
            finding = self._findings[key]
            finding.places += 1
            finding.count += issue.count
            if len(finding.issues) < MAX_ISSUES:
                finding.issues.append(issue)

    def __iter__(self) -> Iterator[Finding]:
        """Worst first, then those seen in most places."""
        return iter(sorted(self._findings.values(), key=_rank))

    def of(self, severity: Literal["error", "warning", "note"]) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self if finding.severity == severity]

    def ids(self) -> set[str]:
        """The types of issue that were seen."""
        return {type for type, _ in self._findings}


def _rank(finding: Finding) -> tuple[int, int, str]:
    # The id last: the order must not depend on which file was read first.
    return ORDER.index(finding.severity), -finding.places, finding.id
