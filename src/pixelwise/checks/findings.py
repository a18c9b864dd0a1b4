"""What can be wrong with a data set: every kind of finding under a name that stays, and where it
was seen.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pixelwise.checks.issue_types import KINDS, Kind, Severity

MOST_KEPT = 10_000
"""Places of one kind that are kept; the rest is only counted, so that memory stays bounded."""

ORDER: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where something is wrong.

    `kind` is a key of KINDS; `file` is None for what concerns the whole set; `position` is (row,
    column) of the first pixel concerned, `count` the number of pixels (or files). `mask` and
    `image` name the pair where there is one.
    """

    kind: str
    file: Path | None
    text: str
    position: tuple[int, int] | None = None
    count: int = 1
    image: Path | None = None
    mask: Path | None = None
    severity: Severity | None = None

    def __post_init__(self) -> None:
        """Texts name files, and these may hold bytes that are not UTF-8."""
        object.__setattr__(self, "text", plain(self.text))


@dataclass
class Finding:
    """All places of one kind and severity: `places` is their number, `hits` at most MOST_KEPT of
    them.
    """

    id: str
    severity: Severity
    kind: Kind
    places: int = 0
    count: int = 0
    hits: list[Hit] = field(default_factory=list)

    def as_dict(self, root: Path) -> dict[str, object]:
        """JSON values; paths are relative to `root` where they lie in it."""
        return {
            "id": self.id,
            "severity": self.severity,
            "title": self.kind.title,
            "fix": self.kind.fix,
            "mended_by_fix": self.kind.mended,
            "places": self.places,
            "count": self.count,
            "hits": [
                {
                    "file": None if hit.file is None else shown(hit.file, root),
                    "text": hit.text,
                    "position": None if hit.position is None else list(hit.position),
                    "count": hit.count,
                }
                for hit in self.hits
            ],
        }


class Findings:
    """Collects hits, by kind and severity."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Severity], Finding] = {}

    def add(self, hits: Iterable[Hit]) -> None:
        """Take up hits; a hit's own severity goes before its kind's."""
        for hit in hits:
            kind = KINDS[hit.kind]
            severity = hit.severity or kind.severity
            finding = self._found.setdefault(
                (hit.kind, severity), Finding(hit.kind, severity, kind)
            )
            finding.places += 1
            finding.count += hit.count
            if len(finding.hits) < MOST_KEPT:
                finding.hits.append(hit)

    def __iter__(self) -> Iterator[Finding]:
        """Worst first, then those seen in most places."""
        return iter(
            sorted(self._found.values(), key=lambda f: (ORDER.index(f.severity), -f.places, f.id))
        )

    def of(self, severity: Literal["error", "warning", "note"]) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self if finding.severity == severity]

    def ids(self) -> set[str]:
        """The kinds that were seen."""
        return {kind for kind, _ in self._found}


def shown(path: Path, root: Path | None = None) -> str:
    """A path as text that can be printed anywhere: relative to `root`, bytes that are not UTF-8 as
    \\xNN.
    """
    place = path.relative_to(root) if root is not None and path.is_relative_to(root) else path
    return plain(str(place))


def plain(text: str) -> str:
    """Text that can be printed anywhere: bytes of file names that are not UTF-8 as \\xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
