"""A repaired copy of a data set: plain folders, palette PNG, legal values, and a line for each
change.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np

from pixelwise.checks.examine import CheckResult
from pixelwise.checks.pictures import find_image_issues
from pixelwise.checks.repair_pair import (
    Change,
    CopyPlan,
    Job,
    Outcome,
    change_entry,
    write_pair,
)
from pixelwise.checks.resplit import resplit
from pixelwise.classes import VOID, Classes
from pixelwise.datasets.issues import printable, printable_path
from pixelwise.datasets.mask_reader import NOISE
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.errors import DataError, OutputError
from pixelwise.io.atomic import atomic_folder
from pixelwise.io.images import silence_warnings
from pixelwise.palette import default_palette
from pixelwise.progress import Progress

LOG = "fixes.jsonl"

# Files that a reader could not pair: the copy is made of pairs alone.
_LOST = (
    "image-without-mask",
    "mask-without-image",
    "image-name-twice",
    "mask-name-twice",
    "list-entry-missing",
    "annotation-malformed",
    "annotations-twice",
)
_MIXED_UP = ("mask-is-photo", "image-is-mask")
# Pairs under way at once: a result waits in memory until those before it are written.
_CHUNK = 32
# Two threads: each holds an image, its labels and the encoder's buffers.
_THREADS = 2


@dataclass(frozen=True)
class Repair:
    """What became of a set: the copy's folder, pairs written to it, changes logged, files left out
    for want of a remedy.
    """

    folder: Path
    written: int
    changes: int
    left_out: int


def repair(
    result: CheckResult,
    folder: Path,
    *,
    progress: Progress,
) -> Repair:
    """Write a repaired copy to `folder`, all of it or nothing; the source is only read.

    Raises OutputError when `folder` holds something, lies in the source or around it, or cannot be
    written, DataError where the masks cannot be told right from wrong.
    """
    _check_not_all_lossy(result)
    _check_classes_known(result)
    with silence_warnings(), atomic_folder(folder, result.index.root) as stage:
        return _write(result, stage, folder, progress)


def _check_not_all_lossy(result: CheckResult) -> None:
    """Raise DataError where every mask is JPEG and its ids lie too close to be told from noise."""
    if result.encoding.form in ("matte", "drawn"):
        return
    masks = [stats.mask for stats in result.pairs if stats.mask]
    numbers = [mask for mask in masks if not mask.coloured]
    mostly_numbers = 2 * len(numbers) > len(masks)
    all_lossy = all(mask.lossy for mask in numbers)
    if mostly_numbers and all_lossy and result.encoding.closest <= NOISE:
        raise DataError(
            f"{printable_path(result.index.root)}: every mask is {numbers[0].file.format}, which "
            "changed the class ids, and nothing tells them from noise; no copy was written: "
            "export the masks as PNG from their source"
        )


def _check_classes_known(result: CheckResult) -> None:
    """Raise DataError where no value is a class, or most masks hold numbers of something else: far
    too much would become void.
    """
    root = printable_path(result.index.root)
    large = sum(finding.places for finding in result.findings if finding.id == "value-large")
    if 2 * large > len(result.pairs):
        raise DataError(
            f"{root}: {large} of {len(result.pairs)} masks hold values above 255, ids of "
            "instances or of too many classes; no copy was written: write class ids from 0 to "
            "254 instead"
        )
    any_class = result.shares["all"].pixels[:VOID].any()
    if "value-doubtful" in result.findings.ids() and not any_class:
        raise DataError(
            f"{root}: no value of the masks seems to be a class, and no copy was written; "
            'name the classes in classes.json, as [{"id": 100, "name": ...}, ...]'
        )


def _write(
    result: CheckResult,
    stage: Path,
    folder: Path,
    progress: Progress,
) -> Repair:
    plan = _plan(result, stage)
    mixed_up = _find_mixed_up(result)
    usable = [stats for stats in result.pairs if _is_usable(stats, mixed_up)]
    selection = resplit(usable, hold_test=result.index.hold_test)
    left_out = list(_list_left_out(result, mixed_up))
    dropped = [
        change_entry(
            plan,
            stats,
            "dropped",
            why,
            text,
        )
        for stats, why, text in selection.dropped
    ]
    with (stage / LOG).open("w", encoding="utf-8") as log:
        _log(log, left_out)
        _log(log, dropped)
        written, failed, changes = _write_pairs(plan, selection.pairs, log, progress)
    if not written:
        raise OutputError(
            f"cannot write {folder}: no pair can be repaired; see what `check` says of them"
        )
    _write_classes(plan)
    changes += len(left_out) + len(dropped)
    return Repair(folder, written, changes, len(left_out) + failed)


def _is_usable(stats: PairStats, mixed_up: Mapping[Path, str]) -> bool:
    return bool(stats.image and stats.mask and stats.pair.image not in mixed_up)


def _log(log: TextIO, entries: Iterable[Change]) -> None:
    log.writelines(json.dumps(entry) + "\n" for entry in entries)


def _write_pairs(
    plan: CopyPlan,
    pairs: tuple[tuple[PairStats, str], ...],
    log: TextIO,
    progress: Progress,
) -> tuple[int, int, int]:
    """Write every pair; the numbers of pairs written, of those that cannot be repaired, and of
    changes logged.
    """
    jobs = list(zip(pairs, _copy_names(pairs), strict=True))
    written = 0
    failed = 0
    changes = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        results = _map_in_chunks(pool, partial(write_pair, plan), jobs)
        for success, entries in progress.track(
            results, what="writing", total=len(jobs), unit="pairs"
        ):
            if success:
                written += 1
            else:
                failed += 1
            changes += len(entries)
            _log(log, entries)
    return written, failed, changes


def _map_in_chunks(
    pool: ThreadPoolExecutor,
    write: Callable[[Job], Outcome],
    jobs: Sequence[Job],
) -> Iterator[Outcome]:
    """The outcomes in order; unlike the pool's own map, which begins with all at once."""
    for start in range(0, len(jobs), _CHUNK):
        yield from pool.map(write, jobs[start : start + _CHUNK])


def _plan(result: CheckResult, stage: Path) -> CopyPlan:
    """Ids that begin above 0 are moved down; colours that occur twice give way to the usual
    ones.
    """
    classes = result.encoding.classes
    lowest = 0
    if "values-not-from-zero" in result.findings.ids():
        # argmax is the first True, and 0 where no class is seen at all.
        present = result.shares["all"].pixels[:VOID] > 0
        lowest = int(np.argmax(present))
    names = classes.names[lowest:]
    palette = classes.palette[lowest:]
    if len(set(palette)) < len(palette):
        palette = default_palette(names)
    return CopyPlan(
        result.index,
        result.encoding,
        Classes(names, palette),
        lowest,
        stage,
    )


def _find_mixed_up(result: CheckResult) -> dict[Path, str]:
    """Images of pairs where image and mask are mixed up, with the type of issue.

    Searched again in the measurements, as findings keep only their first places.
    """
    types: dict[Path, str] = {}
    for stats in result.pairs:
        for issue in find_image_issues(stats):
            if issue.type in _MIXED_UP and issue.image:
                types[issue.image] = issue.type
    return types


def _list_left_out(result: CheckResult, mixed_up: Mapping[Path, str]) -> Iterator[Change]:
    """A line of the log for each file that has no remedy."""
    root = result.index.root
    for issue in result.index.issues:
        if issue.type in _LOST:
            yield _left_out(issue.file, root, issue.type, issue.text)
    for stats in result.pairs:
        image = stats.pair.image
        if stats.problems:
            problem = stats.problems[0]  # one line a pair, though both files may be broken
            yield _left_out(problem.file, root, problem.type, printable(problem.reason))
        elif image in mixed_up:
            yield _left_out(image, root, mixed_up[image], "image and mask are mixed up")


def _left_out(
    file: Path | None,
    root: Path,
    why: str,
    text: str,
) -> Change:
    return {
        "file": printable_path(file, root) if file else None,
        "change": "left out",
        "why": why,
        "text": text,
    }


def _copy_names(pairs: Iterable[tuple[PairStats, str]]) -> list[str]:
    """A plain, unique name in its split for each pair."""
    used: set[tuple[str, str]] = set()
    names = []
    for stats, split in pairs:
        base = printable_path(Path(stats.pair.name)).replace("\\", "_")
        name = base
        number = 2
        # Lower case: on Windows and macOS a.png and A.png are one file.
        while (split, name.lower()) in used:
            name = f"{base}_{number}"
            number += 1
        used.add((split, name.lower()))
        names.append(name)
    return names


def _write_classes(plan: CopyPlan) -> None:
    classes = zip(plan.classes.names, plan.classes.palette, strict=True)
    entries = [
        {"id": label, "name": name, "color": list(colour)}
        for label, (name, colour) in enumerate(classes)
    ]
    # Said of 255, as a mask of 0 and 255 alone could else be one of two classes.
    if "void" not in plan.classes.names:
        entries.append({"id": VOID, "name": "void"})
    text = json.dumps(entries, indent=1)
    (plan.stage / "classes.json").write_text(f"{text}\n", encoding="utf-8")
