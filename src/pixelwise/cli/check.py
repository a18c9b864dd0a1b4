"""`pixelwise check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.options import Format

if TYPE_CHECKING:
    from pixelwise.checks.examine import CheckResult

IN_PART = 1
_EXAMPLES = 3
_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}


def check(
    data: Annotated[Path, typer.Argument(help="Folder of images and masks.")],
    fix: Annotated[
        Path | None, typer.Option(help="Write a repaired copy to this new folder.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all findings to this file.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with thumbnails.")
    ] = None,
    format: Format = "auto",
) -> None:
    """Say what is wrong with a data set, where, and what to do. Nothing in it is changed.

    Exit status: 0 without errors (warnings and notes may be), 1 with errors, 2 where nothing could
    be checked. With --fix: 0 when the copy holds every pair, 1 when some were left out, each named
    in fixes.jsonl.
    """
    from pixelwise.checks import check_dataset as job
    from pixelwise.cli.console import TerminalProgress, messages, results

    result, copy = job.check(
        data, format=format, fix=fix, json_file=json, report=report, progress=TerminalProgress()
    )
    *facts, (_, counts) = job.describe_set(result)
    for name, value in facts:
        results.print(f"[bold]{name}[/bold]: ", end="")
        results.print(value, markup=False)
    _print_findings(result)
    results.print(f"Kinds found: {counts}")
    if copy is not None:
        results.print(
            f"{copy.kept} pairs in {copy.folder}, {copy.changes} changes in fixes.jsonl",
            markup=False,
        )
        if copy.left_out:
            messages.print(
                f"pixelwise: {copy.left_out} files were left out, see fixes.jsonl", markup=False
            )
    if copy.left_out if copy else result.findings.of("error"):
        raise typer.Exit(IN_PART)


def _print_findings(result: "CheckResult") -> None:
    from pixelwise.checks.check_dataset import describe_issue
    from pixelwise.cli.console import results

    for finding in result.findings:
        colour = _COLOURS[finding.severity]
        results.print()
        results.print(
            f"[{colour} bold]{finding.severity}[/] [bold]{finding.type.title}[/] ", end=""
        )
        results.print(f"({finding.places:,}, {finding.id})", markup=False, style="dim")
        for issue in finding.issues[:_EXAMPLES]:
            results.print(f"  {describe_issue(issue, result)}", markup=False)
        if finding.places > _EXAMPLES:
            results.print(f"  and {finding.places - _EXAMPLES:,} more", markup=False)
        results.print(f"  -> {finding.type.fix}", markup=False)
    results.print()
