"""A repaired copy of a data set: plain folders, palette PNG, legal values, and a line for each
change.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from pixelwise.checks.examine import CheckResult
from pixelwise.checks.pictures import find_image_issues
from pixelwise.checks.repair_pair import Change, CopyPlan, change_entry, write_pair
from pixelwise.checks.resplit import resplit
from pixelwise.classes import VOID, Classes, voc_colormap
from pixelwise.datasets.issues import printable, printable_path
from pixelwise.datasets.mask_encoding import is_lossy
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.errors import DataError, OutputError
from pixelwise.io.atomic import atomic_folder
from pixelwise.io.images import silence_warnings
from pixelwise.progress import Progress

LOG = "fixes.jsonl"

_LOST = (
    "image-without-mask",
    "mask-without-image",
    "image-name-twice",
    "mask-name-twice",
    "list-entry-missing",
)
_MIXED_UP = ("mask-is-photo", "image-is-mask")
_CHUNK = 32
# By this much JPEG may change a value inside an area.
_NOISE = 24


@dataclass(frozen=True)
class Repair:
    """What became of a set: the copy's folder, pairs in it, changes logged, files left out for want
    of a remedy.
    """

    folder: Path
    kept: int
    changes: int
    left_out: int


def repair(result: CheckResult, folder: Path, *, progress: Progress) -> Repair:
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
    masks = [stats.mask for stats in result.pairs if stats.mask]
    numbers = [mask for mask in masks if not mask.coloured]
    few = 2 * len(numbers) <= len(masks)
    if result.encoding.form in ("matte", "drawn") or few or not all(map(is_lossy, numbers)):
        return
    if result.encoding.closest <= _NOISE:
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


def _write(result: CheckResult, stage: Path, folder: Path, progress: Progress) -> Repair:
    plan = _plan(result, stage)
    mixed_up = _mixed_up(result)
    whole = [
        stats
        for stats in result.pairs
        if stats.image and stats.mask and stats.pair.image not in mixed_up
    ]
    split = resplit(whole, hold_test=result.index.hold_test)
    log: list[Change] = list(_left_out(result, mixed_up))
    lost = len(log)
    log += [change_entry(plan, stats, "dropped", why, text) for stats, why, text in split.dropped]
    jobs = list(zip(split.kept, _copy_names(split.kept), strict=True))
    kept = 0
    changes = len(log)
    with ThreadPoolExecutor(2) as pool, (stage / LOG).open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(entry) + "\n" for entry in log)
        parts = (
            pool.map(partial(write_pair, plan), jobs[start : start + _CHUNK])
            for start in range(0, len(jobs), _CHUNK)
        )
        pairs = chain.from_iterable(parts)
        tracked = progress.track(pairs, what="writing", total=len(jobs), unit="pairs")
        for written, entries in tracked:
            kept += written
            lost += not written
            changes += len(entries)
            lines.writelines(json.dumps(entry) + "\n" for entry in entries)
    if not kept:
        raise OutputError(
            f"cannot write {folder}: no pair can be repaired; see what `check` says of them"
        )
    _write_classes(plan)
    return Repair(folder, kept, changes, lost)


def _plan(result: CheckResult, stage: Path) -> CopyPlan:
    """Ids that begin above 0 are moved down; colours that occur twice give way to the usual
    ones.
    """
    classes = result.encoding.classes
    lowest = 0
    if "values-not-from-zero" in result.findings.ids():
        # 0 where no class is seen at all
        lowest = int(np.argmax(result.shares["all"].pixels[:VOID] > 0))
    names = classes.names[lowest:]
    palette = classes.palette[lowest:]
    if len(set(palette)) < len(palette):
        palette = voc_colormap(len(names))
    return CopyPlan(result.index, result.encoding, Classes(names, palette), lowest, stage)


def _mixed_up(result: CheckResult) -> dict[Path, str]:
    """Images of pairs where image and mask are mixed up, with the type of issue; findings keep but
    their first places.
    """
    issues = (issue for stats in result.pairs for issue in find_image_issues(stats))
    return {issue.image: issue.type for issue in issues if issue.type in _MIXED_UP and issue.image}


def _left_out(result: CheckResult, mixed_up: dict[Path, str]) -> Iterator[Change]:
    root = result.index.root
    for issue in result.index.issues:
        if issue.type in _LOST:
            file = printable_path(issue.file, root) if issue.file else None
            yield {"file": file, "change": "left out", "why": issue.type, "text": issue.text}
    for stats in result.pairs:
        for problem in stats.problems[:1]:
            yield {
                "file": printable_path(problem.file, root),
                "change": "left out",
                "why": problem.type,
                "text": printable(problem.reason),
            }
        if not stats.problems and stats.pair.image in mixed_up:
            yield {
                "file": printable_path(stats.pair.image, root),
                "change": "left out",
                "why": mixed_up[stats.pair.image],
                "text": "image and mask are mixed up",
            }


def _copy_names(kept: tuple[tuple[PairStats, str], ...]) -> list[str]:
    """A plain, unique name in its split for each pair."""
    taken: set[tuple[str, str]] = set()
    names = []
    for stats, split in kept:
        base = printable_path(Path(stats.pair.name)).replace("\\", "_")
        name = base
        number = 2
        while (split, name.lower()) in taken:
            name = f"{base}_{number}"
            number += 1
        taken.add((split, name.lower()))
        names.append(name)
    return names


def _write_classes(plan: CopyPlan) -> None:
    entries = [
        {"id": label, "name": name, "color": list(colour)}
        for label, (name, colour) in enumerate(
            zip(plan.classes.names, plan.classes.palette, strict=True)
        )
    ]
    (plan.stage / "classes.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
