"""A data set examined, and written down as JSON and as a page; with `fix`, a repaired copy."""

import json
from pathlib import Path
from typing import Any

from pixelwise.checks.examine import CheckResult, examine
from pixelwise.checks.findings import ORDER, Finding
from pixelwise.checks.group_hints import write_groups
from pixelwise.checks.repair import Repair, repair
from pixelwise.checks.thumbnails import Pictures, draw_pair, thumbnail
from pixelwise.datasets.issues import Issue, printable_path
from pixelwise.datasets.options import DataOptions
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.errors import ConfigError, DataError
from pixelwise.io.atomic import write_text
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.reports.findings_page import ClassShare, Section, write_findings

# Places of a finding that the page lists as text, and with a picture: with all of them, the page
# of a set in which every mask is wrong would be hundreds of megabytes.
_MAX_LINES = 12
_MAX_PICTURES = 6
# Pairs that are shown where no finding has a picture.
_MAX_SAMPLES = 4


def check(
    data: str | Path,
    *,
    fix: str | Path | None = None,
    json_file: str | Path | None = None,
    report: str | Path | None = None,
    groups: str | Path | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> tuple[CheckResult, Repair | None]:
    """Examine the folder `data`; write its findings to `json_file` and `report` (HTML), images that
    belong together to `groups` (CSV), a repaired copy to `fix`.

    Nothing in `data` is changed. `reading` are fields of DataOptions, such as format="coco". Raises
    ConfigError for an unknown one, DataError where there is nothing to examine, OutputError for
    what cannot be written.
    """
    progress = progress or default_progress()
    root = Path(data)
    options = DataOptions.of(reading)
    if fix is not None and (options.merge or options.drop):
        raise ConfigError(
            "merge and drop do not go with fix, whose copy has the classes of the data: leave them "
            "out, or write a copy of merged classes with `pixelwise convert`"
        )
    _check_folder(root)
    try:
        result = examine(root, options, progress=progress)
    except OSError as error:
        place = Path(error.filename) if error.filename else root
        raise DataError(
            f"{printable_path(place)}: {error.strerror or error}; make it readable and try again"
        ) from error
    # The findings are written first: a repair may fail, and they say why.
    if json_file is not None:
        text = json.dumps(result.as_dict(), indent=1)
        write_text(Path(json_file), f"{text}\n")
    if report is not None:
        write_page(result, Path(report))
    if groups is not None and result.groups is not None:
        write_groups(Path(groups), result.pairs, result.index, result.groups)
    elif groups is not None:
        progress.log(f"no groups of images are seen, so {groups} is not written")
    if fix is None:
        return result, None
    return result, repair(result, Path(fix), progress=progress)


def _check_folder(root: Path) -> None:
    if root.is_dir():
        return
    what = "is a file" if root.exists() else "no such folder"
    raise DataError(
        f"{printable_path(root)}: {what}; give the folder that holds the images and masks"
    )


def write_page(result: CheckResult, path: Path) -> None:
    """The findings as one HTML file with thumbnails."""
    pairs = {stats.pair.mask: stats for stats in result.pairs}
    sections = [_section(finding, result, pairs) for finding in result.findings]
    has_pictures = any(section.pictures for section in sections)
    write_findings(
        path,
        title=f"Check of {printable_path(result.index.root)}",
        facts=describe_set(result),
        sections=sections,
        samples=() if has_pictures else _draw_samples(result),
        shares=list_class_shares(result),
    )


def _draw_samples(result: CheckResult) -> list[tuple[str, Pictures]]:
    """A few pairs from all over the set, by the path of their image."""
    step = max(1, len(result.pairs) // _MAX_SAMPLES)
    samples = []
    for stats in result.pairs[::step][:_MAX_SAMPLES]:
        drawn = draw_pair(stats, result.encoding, result.index.mask_source)
        if drawn:
            samples.append((printable_path(stats.pair.image, result.index.root), drawn))
    return samples


def _section(
    finding: Finding,
    result: CheckResult,
    pairs: dict[Path, PairStats],
) -> Section:
    """One finding of the page: its first places with pictures, further ones as text."""
    pictures = _draw_places(finding, result, pairs)
    texts = [describe_issue(issue, result) for issue in finding.issues[:_MAX_LINES]]
    # A place with a picture has its text below it.
    lines = [text for text in texts if text not in pictures]
    more = finding.places - len(pictures) - len(lines)
    if more > 0:
        lines.append(f"and {more:,} more (--json lists them)")
    return Section(
        finding.severity,
        finding.id,
        finding.type.title,
        finding.places,
        finding.type.fix,
        lines,
        tuple(pictures.items()),
    )


def _draw_places(
    finding: Finding, result: CheckResult, pairs: dict[Path, PairStats]
) -> dict[str, Pictures]:
    """The pictures of a finding's first places, by their text."""
    shown = [issue for issue in finding.issues if issue.image or issue.mask]
    pictures: dict[str, Pictures] = {}
    for issue in shown[:_MAX_PICTURES]:
        drawn = thumbnail(issue, pairs, result.encoding, result.index.mask_source)
        if drawn:
            pictures[describe_issue(issue, result)] = drawn
    return pictures


def describe_issue(issue: Issue, result: CheckResult) -> str:
    """One place of a finding as text."""
    if issue.file is None:
        return issue.text
    return f"{printable_path(issue.file, result.index.root)}: {issue.text}"


def describe_set(result: CheckResult) -> list[tuple[str, str]]:
    """What the set is, as names and values."""
    splits = ", ".join(f"{split} {count:,}" for split, count in result.splits().items())
    encoding = result.encoding
    source = "known" if encoding.declared else "guessed"
    return [
        ("Format", result.index.format),
        ("Pairs", splits),
        ("Masks", f"{encoding.kind}: {encoding.evidence}"),
        ("Classes", f"{len(encoding.classes)}, {source}"),
        ("Void", f"{result.shares['all'].void:.1%} of the pixels"),
        ("Kinds found", _count_severities(result)),
    ]


def _count_severities(result: CheckResult) -> str:
    counts = []
    for severity in ORDER:
        count = len(result.findings.of(severity))
        plural = "" if count == 1 else "s"
        counts.append(f"{count} {severity}{plural}")
    return ", ".join(counts)


def list_class_shares(result: CheckResult) -> list[ClassShare]:
    """Every class's shares."""
    total = result.shares["all"]
    splits = [split for split in ("train", "val", "test") if split in result.shares]
    return [
        ClassShare(
            name,
            total.of(label),
            int(total.images[label]),
            {split: result.shares[split].of(label) for split in splits},
        )
        for label, name in enumerate(result.encoding.classes.names)
    ]
