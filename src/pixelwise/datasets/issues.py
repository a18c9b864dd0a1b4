"""One place where something is wrong with a data set, found by a reader or by a check."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pixelwise.datasets.issue_types import ISSUE_TYPES, Severity
from pixelwise.errors import DataError

# Names that a line lists: enough to see what they have in common.
_MAX_NAMES = 5
# What training refuses unless an option leaves it out.
_SKIPPABLE = frozenset(
    {
        "annotation-malformed",
        "class-unlisted",
        "image-without-mask",
        "mask-without-image",
    }
)


@dataclass(frozen=True, slots=True)
class Issue:
    """One occurrence of an issue.

    `type` is a key of ISSUE_TYPES; `file` is None for what concerns the whole set; `position` is
    (row, column) of the first pixel concerned, or (line, column) of a text; `count` is the number
    of pixels (or files). `mask` and `image` name the pair where there is one. `refusal` is the
    message with which training refuses the set; it is empty where training goes on.
    """

    type: str
    file: Path | None
    text: str
    position: tuple[int, int] | None = None
    count: int = 1
    image: Path | None = None
    mask: Path | None = None
    severity: Severity | None = None
    refusal: str = ""

    def __post_init__(self) -> None:
        """Texts name files, and these may hold bytes that are not UTF-8."""
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "text", printable(self.text))


def raise_first(issues: Iterable[Issue]) -> None:
    """Raise DataError for the first issue that training refuses, if any, with how many more there
    are.
    """
    # Issues of one cause share a message: the files of a folder that lack a mask, for instance.
    refusals = list(dict.fromkeys(issue.refusal for issue in issues if issue.refusal))
    if not refusals:
        return
    text = refusals[0]
    if len(refusals) > 1:
        text += f" (and {len(refusals) - 1} more; `pixelwise check` lists them all)"
    raise DataError(text)


def describe_tolerated(issues: Iterable[Issue]) -> list[str]:
    """A line for each type of the issues with which training goes on: what, how many, where, and
    what becomes of it.
    """
    groups: dict[str, list[Issue]] = defaultdict(list)
    for issue in issues:
        if not issue.refusal:
            groups[issue.type].append(issue)
    return [_describe_group(type, group) for type, group in groups.items()]


def _describe_group(type: str, issues: list[Issue]) -> str:
    title = ISSUE_TYPES[type].title
    advice = ISSUE_TYPES[type].fix
    names = list(dict.fromkeys(issue.file.name for issue in issues if issue.file))
    places = ", ".join(names[:_MAX_NAMES])
    if len(names) > _MAX_NAMES:
        places += f" and {len(names) - _MAX_NAMES} more"
    count = sum(issue.count for issue in issues)
    if type == "list-entry-missing":
        return f"left out: {'; '.join(issue.text for issue in issues)}"
    if type in _SKIPPABLE:
        return f"left out: {title[0].lower()}{title[1:]} ({count}): {places}"
    if len(issues) == 1:
        places = f"{places}: {issues[0].text}" if places else issues[0].text
    else:
        title += f" ({count})"
    return f"{title}: {places}. {advice}"


def printable_path(path: Path, root: Path | None = None) -> str:
    """A path as text that can be printed anywhere: relative to `root`, bytes that are not UTF-8 as
    \\xNN.
    """
    if root is not None and path.is_relative_to(root):
        path = path.relative_to(root)
    return printable(str(path))


def printable(text: str) -> str:
    """Text that can be printed anywhere: bytes of file names that are not UTF-8 as \\xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
