"""A data set examined, and written down as JSON and as a page; with `fix`, a mended copy."""

import json
from pathlib import Path

from pixelwise.checks.examine import Checkup, examine
from pixelwise.checks.findings import ORDER, Hit, shown
from pixelwise.checks.repair import Repair, repair
from pixelwise.checks.thumbnails import thumbnail
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.progress import Progress
from pixelwise.reports.findings_page import ClassShare, Section, write_findings

_LINES = 12
_PICTURES = 6


def check(
    data: str | Path,
    *,
    format: str = "auto",
    fix: str | Path | None = None,
    json_file: str | Path | None = None,
    report: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Checkup, Repair | None]:
    """Examine the folder `data`; write its findings to `json_file` and `report` (HTML), a mended
    copy to `fix`.

    Nothing in `data` is changed. Raises DataError where there is nothing to examine, OutputError
    for what cannot be written.
    """
    progress = progress or Progress()
    root = Path(data)
    if not root.is_dir():
        what = "is a file" if root.exists() else "no such folder"
        raise DataError(f"{shown(root)}: {what}; give the folder that holds the images and masks")
    try:
        found = examine(root, format=format, progress=progress)
    except OSError as error:
        place = Path(error.filename) if error.filename else root
        raise DataError(
            f"{shown(place)}: {error.strerror or error}; make it readable and try again"
        ) from error
    if json_file is not None:
        write_text(Path(json_file), json.dumps(found.as_dict(), indent=1) + "\n")
    if report is not None:
        write_page(found, Path(report))
    return found, None if fix is None else repair(found, Path(fix), progress=progress)


def write_page(found: Checkup, path: Path) -> None:
    """The findings as one HTML file with thumbnails."""
    looks = {look.couple.mask: look for look in found.looks}
    sections = []
    for finding in found.findings:
        pictured = [hit for hit in finding.hits if hit.image or hit.mask][:_PICTURES]
        thumbs = [(line(hit, found), thumbnail(hit, looks, found.encoding)) for hit in pictured]
        pictures = {text: data for text, data in thumbs if data}
        lines = [
            text for hit in finding.hits[:_LINES] if (text := line(hit, found)) not in pictures
        ]
        more = finding.places - len(pictures) - len(lines)
        if more > 0:
            lines.append(f"and {more:,} more (--json lists them)")
        sections.append(
            Section(
                finding.severity,
                finding.id,
                finding.kind.title,
                finding.places,
                finding.kind.fix,
                lines,
                tuple(pictures.items()),
            )
        )
    title = f"Check of {shown(found.inventory.root)}"
    write_findings(
        path, title=title, facts=facts(found), sections=sections, shares=class_shares(found)
    )


def line(hit: Hit, found: Checkup) -> str:
    """One place of a finding as text."""
    return f"{shown(hit.file, found.inventory.root)}: {hit.text}" if hit.file else hit.text


def facts(found: Checkup) -> list[tuple[str, str]]:
    """What the set is, as names and values."""
    splits = ", ".join(f"{split} {count:,}" for split, count in found.inventory.splits().items())
    counts = [(severity, len(found.findings.of(severity))) for severity in ORDER]
    return [
        ("Format", found.inventory.format),
        ("Pairs", splits),
        ("Masks", f"{found.encoding.kind}: {found.encoding.evidence}"),
        (
            "Classes",
            f"{len(found.encoding.classes)}, {'known' if found.encoding.declared else 'guessed'}",
        ),
        ("Void", f"{found.shares['all'].void:.1%} of the pixels"),
        ("Kinds found", ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts)),
    ]


def class_shares(found: Checkup) -> list[ClassShare]:
    """Every class's shares."""
    every = found.shares["all"]
    splits = [split for split in ("train", "val", "test") if split in found.shares]
    return [
        ClassShare(
            name,
            every.of(label),
            int(every.images[label]),
            {split: found.shares[split].of(label) for split in splits},
        )
        for label, name in enumerate(found.encoding.classes.names)
    ]
