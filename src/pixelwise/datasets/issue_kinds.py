"""What a type of issue is: how severe, what it means and what to do."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class IssueType:
    """A type of issue; `repaired` says that `--fix` leaves none of it in the copy."""

    severity: Severity
    title: str
    fix: str
    repaired: bool = False


def error_type(
    title: str,
    fix: str,
    *,
    repaired: bool = True,
) -> IssueType:
    """A type that training mostly refuses."""
    return IssueType("error", title, fix, repaired)


def warning_type(
    title: str,
    fix: str,
    *,
    repaired: bool = False,
) -> IssueType:
    """A type that should be looked at."""
    return IssueType("warning", title, fix, repaired)


def note_type(
    title: str,
    fix: str = "Nothing need be done.",
    *,
    repaired: bool = False,
) -> IssueType:
    """A type that is good to know."""
    return IssueType("note", title, fix, repaired)
