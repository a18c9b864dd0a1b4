"""A data set examined, and written down as JSON and as a page; with `fix`, a repaired copy."""

import json
from pathlib import Path

from pixelwise.checks.examine import CheckResult, examine
from pixelwise.checks.findings import ORDER
from pixelwise.checks.repair import Repair, repair
from pixelwise.checks.thumbnails import thumbnail
from pixelwise.datasets.issues import Issue, printable_path
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.progress import Progress
from pixelwise.reports.findings_page import ClassShare, Section, write_findings

# Places of a finding that the page lists as text, and with a picture.
_MAX_LINES = 12
_MAX_PICTURES = 6


def check(
    data: str | Path,
    *,
    format: str = "auto",
    fix: str | Path | None = None,
    json_file: str | Path | None = None,
    report: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[CheckResult, Repair | None]:
    """Examine the folder `data`; write its findings to `json_file` and `report` (HTML), a repaired
    copy to `fix`.

    Nothing in `data` is changed. Raises DataError where there is nothing to examine, OutputError
    for what cannot be written.
    """
    progress = progress or Progress()
    root = Path(data)
    if not root.is_dir():
        what = "is a file" if root.exists() else "no such folder"
        raise DataError(
            f"{printable_path(root)}: {what}; give the folder that holds the images and masks"
        )
    try:
        result = examine(root, format=format, progress=progress)
    except OSError as error:
        place = Path(error.filename) if error.filename else root
        raise DataError(
            f"{printable_path(place)}: {error.strerror or error}; make it readable and try again"
        ) from error
    if json_file is not None:
        write_text(Path(json_file), json.dumps(result.as_dict(), indent=1) + "\n")
    if report is not None:
        write_page(result, Path(report))
    return result, None if fix is None else repair(result, Path(fix), progress=progress)


def write_page(result: CheckResult, path: Path) -> None:
    """The findings as one HTML file with thumbnails."""
    pairs = {stats.pair.mask: stats for stats in result.pairs}
    sections = []
    for finding in result.findings:
        pictured = [issue for issue in finding.issues if issue.image or issue.mask][:_MAX_PICTURES]
        pictures = {}
        for issue in pictured:
            data = thumbnail(issue, pairs, result.encoding, result.index.mask_source)
            if data:
                pictures[describe_issue(issue, result)] = data
        texts = [describe_issue(issue, result) for issue in finding.issues[:_MAX_LINES]]
        lines = [text for text in texts if text not in pictures]
        more = finding.places - len(pictures) - len(lines)
        if more > 0:
            lines.append(f"and {more:,} more (--json lists them)")
        sections.append(
            Section(
                finding.severity,
                finding.id,
                finding.type.title,
                finding.places,
                finding.type.fix,
                lines,
                tuple(pictures.items()),
            )
        )
    title = f"Check of {printable_path(result.index.root)}"
    write_findings(
        path,
        title=title,
        facts=describe_set(result),
        sections=sections,
        shares=list_class_shares(result),
    )


def describe_issue(issue: Issue, result: CheckResult) -> str:
    """One place of a finding as text."""
    return (
        f"{printable_path(issue.file, result.index.root)}: {issue.text}"
        if issue.file
        else issue.text
    )


def describe_set(result: CheckResult) -> list[tuple[str, str]]:
    """What the set is, as names and values."""
    splits = ", ".join(f"{split} {count:,}" for split, count in result.splits().items())
    counts = [(severity, len(result.findings.of(severity))) for severity in ORDER]
    return [
        ("Format", result.index.format),
        ("Pairs", splits),
        ("Masks", f"{result.encoding.kind}: {result.encoding.evidence}"),
        (
            "Classes",
            f"{len(result.encoding.classes)}, {'known' if result.encoding.declared else 'guessed'}",
        ),
        ("Void", f"{result.shares['all'].void:.1%} of the pixels"),
        ("Kinds found", ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts)),
    ]


def list_class_shares(result: CheckResult) -> list[ClassShare]:
    """Every class's shares."""
    every = result.shares["all"]
    splits = [split for split in ("train", "val", "test") if split in result.shares]
    return [
        ClassShare(
            name,
            every.of(label),
            int(every.images[label]),
            {split: result.shares[split].of(label) for split in splits},
        )
        for label, name in enumerate(result.encoding.classes.names)
    ]
