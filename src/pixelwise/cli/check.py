"""`pixelwise check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelwise.cli.exit_codes import IN_PART
from pixelwise.cli.options_from import OUTPUT, OptionSource, options_from
from pixelwise.cli.shared_options import DATA, Images
from pixelwise.datasets.options import DataOptions

if TYPE_CHECKING:
    from pixelwise.checks.examine import CheckResult
    from pixelwise.checks.repair import Repair

# Places that are printed of each finding; --json and --report hold all of them.
_EXAMPLES = 3
# Colours of the terminal, by severity.
_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}


Fix = Annotated[
    Path | None,
    typer.Option(help="Write a repaired copy to this new folder.", rich_help_panel=OUTPUT),
]
Json = Annotated[
    Path | None,
    typer.Option(help="Write all findings to this JSON file.", rich_help_panel=OUTPUT),
]
Report = Annotated[
    Path | None,
    typer.Option(metavar="FILE.html", help="Write a page with pictures.", rich_help_panel=OUTPUT),
]

Groups = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.csv",
        help="Write images that seem to belong together as a table: as groups.csv in the data, "
        "train keeps them in one split.",
        rich_help_panel=OUTPUT,
    ),
]


@options_from(
    OptionSource(
        DataOptions, ("format", "mask_folder", "matte_threshold", "instances"), panel=DATA
    ),
    OptionSource(DataOptions, ("merge", "drop"), unset=True, panel=DATA),
)
def check(
    data: Images,
    fix: Fix = None,
    json: Json = None,
    report: Report = None,
    groups: Groups = None,
    **options: Any,
) -> None:
    """Find what is wrong with a data set, where, and what to do. The data itself is not changed.

    Exit status: 0 without errors (there may be warnings and notes), 1 with errors, 2 where nothing
    could be checked. With --fix: 0 when the copy holds every pair, 1 when some were left out, each
    named in fixes.jsonl.
    """
    from pixelwise.checks import check_dataset as job
    from pixelwise.cli.console import TerminalProgress, print_next, results

    result, repair = job.check(
        data,
        fix=fix,
        json_file=json,
        report=report,
        groups=groups,
        progress=TerminalProgress(),
        **options,
    )
    # The last fact, the counts, comes after the findings that it sums up.
    *facts, (_, counts) = job.describe_set(result)
    _print_facts(facts)
    _print_findings(result)
    results.print(f"Kinds found: {counts}")
    for file in filter(None, (report, json, groups if result.groups else None)):
        results.print(f"all of it in {file}", markup=False)
    if repair is not None:
        _print_repair(repair)
        print_next((("train", repair.folder), "train on the copy"))
    elif result.findings.of("error"):
        place = data if data.name.strip(".") else data.resolve()
        copy = place.with_name(f"{place.name}-repaired")
        print_next((("check", data, "--fix", copy), "write a repaired copy"))
        raise typer.Exit(IN_PART)
    else:
        print_next((("train", data), "train a model on it"))


def _print_repair(repair: "Repair") -> None:
    """Print what was written; ends the command where files were left out."""
    from pixelwise.cli.console import messages, results

    results.print(
        f"{repair.written} pairs in {repair.folder}, {repair.changes} changes in fixes.jsonl",
        markup=False,
    )
    if repair.left_out:
        messages.print(
            f"pixelwise: {repair.left_out} files were left out, see fixes.jsonl", markup=False
        )
        raise typer.Exit(IN_PART)


def _print_facts(facts: list[tuple[str, str]]) -> None:
    from pixelwise.cli.console import align_columns, results

    for name, value in facts:
        results.print(align_columns(f"{name}: {value}", results.width), markup=False)


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
