"""A mended copy of a data set: plain folders, palette PNG, legal values, and a line for each
change.
"""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.checks.examine import Checkup
from pixelwise.checks.findings import plain, shown
from pixelwise.checks.inspect_pairs import ImageLook, Look, MaskLook
from pixelwise.checks.pictures import picture_hits
from pixelwise.checks.reorient import fitted
from pixelwise.checks.repair_mask import read_mask, variant
from pixelwise.checks.resplit import deal
from pixelwise.classes import VOID, Classes, voc_colormap
from pixelwise.datasets.mask_encoding import Encoding, is_lossy
from pixelwise.errors import DataError, OutputError
from pixelwise.io.atomic import atomic_folder
from pixelwise.io.images import Array, read_rgb, silence_warnings, write_image, write_labels
from pixelwise.progress import Progress

LOG = "fixes.jsonl"

_SUFFIX = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "PPM": ".ppm",
}
_LOST = (
    "image-without-mask",
    "mask-without-image",
    "image-name-twice",
    "mask-name-twice",
    "list-entry-missing",
)
_MIXED_UP = ("mask-is-photo", "image-is-mask")
_CHUNK = 32
_NOISE = 24  # by this much JPEG may change a value inside an area

Change = dict[str, object]


@dataclass(frozen=True)
class Repair:
    """What became of a set: the copy's folder, pairs in it, changes logged, files left out for want
    of a remedy.
    """

    folder: Path
    kept: int
    changes: int
    left_out: int


@dataclass(frozen=True)
class _Plan:
    """How every pair is written: encoding and classes of the copy, the lowest id (made 0), and the
    staging folder.
    """

    encoding: Encoding
    classes: Classes
    lowest: int
    stage: Path
    root: Path


def repair(found: Checkup, folder: Path, *, progress: Progress) -> Repair:
    """Write a mended copy to `folder`, all of it or nothing; the source is only read.

    Raises OutputError when `folder` holds something, lies in the source or around it, or cannot be
    written, DataError where the masks cannot be told right from wrong.
    """
    _refuse_lossy(found)
    _refuse_unknown(found)
    with silence_warnings(), atomic_folder(folder, found.inventory.root) as stage:
        return _write(found, stage, folder, progress)


def _refuse_lossy(found: Checkup) -> None:
    """Ids that were all saved with loss are lost: beside 3, a 2 may be a class or noise."""
    masks = [look.mask for look in found.looks if look.mask and not look.couple.layers]
    numbers = [mask for mask in masks if not mask.coloured]
    alpha = found.encoding.kind.startswith("alpha")
    if alpha or 2 * len(numbers) <= len(masks) or not all(is_lossy(mask) for mask in numbers):
        return
    if found.encoding.closest <= _NOISE:
        raise DataError(
            f"{shown(found.inventory.root)}: every mask is {numbers[0].picture.format}, which "
            "changed the class ids, "
            "and nothing tells them from noise; no copy was written: export the masks as PNG "
            "from their source"
        )


def _refuse_unknown(found: Checkup) -> None:
    """Where no value is a class, or most masks hold numbers of something else, far too much would
    become void.
    """
    large = sum(finding.places for finding in found.findings if finding.id == "value-large")
    if 2 * large > len(found.looks):
        raise DataError(
            f"{shown(found.inventory.root)}: {large} of {len(found.looks)} masks hold values "
            "above 255, ids of "
            "instances or of too many classes; no copy was written: write class ids from 0 to "
            "254 instead"
        )
    if "value-doubtful" in found.findings.ids() and not found.shares["all"].pixels[:VOID].any():
        raise DataError(
            f"{shown(found.inventory.root)}: no value of the masks seems to be a class, and "
            "no copy was written; "
            'name the classes in classes.json, as [{"id": 100, "name": ...}, ...]'
        )


def _write(found: Checkup, stage: Path, folder: Path, progress: Progress) -> Repair:
    plan = _plan(found, stage)
    bad = _mixed_up(found)
    whole = [
        look for look in found.looks if look.image and look.mask and look.couple.image not in bad
    ]
    dealt = deal(whole)
    log: list[Change] = list(_left_out(found, bad))
    lost = len(log)
    log += [_entry(plan, look, "dropped", why, text) for look, why, text in dealt.dropped]
    jobs = list(zip(dealt.kept, _names(dealt.kept), strict=True))
    kept = 0
    with ThreadPoolExecutor(2) as pool, (stage / LOG).open("w", encoding="utf-8") as lines:
        parts = (
            pool.map(partial(_pair, plan), jobs[at : at + _CHUNK])
            for at in range(0, len(jobs), _CHUNK)
        )
        done = progress.track(
            chain.from_iterable(parts), what="writing", total=len(jobs), unit="pairs"
        )
        changes = 0
        for entry in log:
            lines.write(json.dumps(entry) + "\n")
        for written, entries in done:
            kept += written
            lost += not written
            changes += len(entries)
            lines.writelines(json.dumps(entry) + "\n" for entry in entries)
    if not kept:
        raise OutputError(
            f"cannot write {folder}: no pair can be mended; see what `check` says of them"
        )
    _write_classes(plan)
    return Repair(folder, kept, changes + len(log), lost)


def _plan(found: Checkup, stage: Path) -> _Plan:
    """Ids that begin above 0 are moved down; colours that stand twice give way to the usual
    ones.
    """
    classes = found.encoding.classes
    lowest = 0
    if "values-not-from-zero" in found.findings.ids():
        lowest = int(
            np.argmax(found.shares["all"].pixels[:VOID] > 0)
        )  # 0 where no class is seen at all
    names = classes.names[lowest:]
    palette = classes.palette[lowest:]
    if len(set(palette)) < len(palette):
        palette = voc_colormap(len(names))
    return _Plan(found.encoding, Classes(names, palette), lowest, stage, found.inventory.root)


def _mixed_up(found: Checkup) -> dict[Path, str]:
    """Images of pairs where image and mask are mixed up, with the kind; findings keep but their
    first places.
    """
    hits = (hit for look in found.looks for hit in picture_hits(look))
    return {hit.image: hit.kind for hit in hits if hit.kind in _MIXED_UP and hit.image}


def _left_out(found: Checkup, bad: dict[Path, str]) -> Iterator[Change]:
    root = found.inventory.root
    for hit in found.inventory.hits:
        if hit.kind in _LOST:
            file = shown(hit.file, root) if hit.file else None
            yield {"file": file, "change": "left out", "why": hit.kind, "text": hit.text}
    for look in found.looks:
        for kind, path, text in look.problems[:1]:
            yield {
                "file": shown(path, root),
                "change": "left out",
                "why": kind,
                "text": plain(text),
            }
        if not look.problems and look.couple.image in bad:
            file = shown(look.couple.image, root)
            why = bad[look.couple.image]
            yield {
                "file": file,
                "change": "left out",
                "why": why,
                "text": "image and mask are mixed up",
            }


def _names(kept: tuple[tuple[Look, str], ...]) -> list[str]:
    """A plain, unique name in its split for each pair."""
    taken: set[tuple[str, str]] = set()
    names = []
    for look, split in kept:
        base = shown(Path(look.couple.name)).replace("\\", "_")
        name = base
        number = 2
        while (split, name.lower()) in taken:
            name = f"{base}_{number}"
            number = number + 1
        taken.add((split, name.lower()))
        names.append(name)
    return names


def _pair(plan: _Plan, job: tuple[tuple[Look, str], str]) -> tuple[bool, list[Change]]:
    """Write one pair, the mask first; False with the reason where it cannot be mended.

    What cannot be written (a full disk) ends the whole copy.
    """
    (look, split), name = job
    if look.image is None or look.mask is None:
        return False, []
    entries: list[Change] = []
    target = plan.stage / "masks" / split / f"{name}.png"
    try:
        labels = _labels(plan, look, look.mask, entries)
        shaped, said = fitted(labels, look)
        if said:
            entries.append(_entry(plan, look, "mask", *said, mask=True))
        if shaped is None:
            return False, entries
        write_labels(target, shaped, plan.classes.palette)
        _image(plan, look, look.image, split, name, entries)
    except DataError as error:
        target.unlink(missing_ok=True)
        return False, [_entry(plan, look, "left out", "mask-unreadable", str(error))]
    if split != look.couple.split:
        entries.append(_entry(plan, look, "moved", "split", f"from {look.couple.split} to {split}"))
    return True, entries


def _labels(plan: _Plan, look: Look, mask: MaskLook, entries: list[Change]) -> Array:
    """The mask's labels in the copy's ids; what was changed is added to `entries`."""
    labels, strays, overlaps = read_mask(look.couple, mask, plan.encoding)
    if strays:
        how = (
            "made void"
            if strays.kind == "value-outside-classes"
            else "given the nearest legal value"
        )
        entries.append(
            _entry(plan, look, "mask", strays.kind, f"{strays.pixels} pixels {how}", mask=True)
        )
    if look.couple.layers:
        entries.append(
            _entry(
                plan, look, "mask", "layout-layers", f"joined, {overlaps} pixels in two", mask=True
            )
        )
    how = variant(mask, plan.encoding)
    odd = mask.alpha or mask.wide or mask.coloured
    if how or odd or plan.encoding.binary or plan.encoding.kind.startswith("alpha"):
        entries.append(
            _entry(
                plan,
                look,
                "mask",
                "encoding",
                f"{mask.picture.mode} written as class ids",
                mask=True,
            )
        )
    if plan.lowest:
        labels = np.where(labels == VOID, VOID, labels - np.minimum(labels, plan.lowest)).astype(
            np.uint8
        )
    return labels


def _image(
    plan: _Plan, look: Look, image: ImageLook, split: str, name: str, entries: list[Change]
) -> None:
    """Copy the file, or write it anew as PNG where it must be turned or converted."""
    picture = image.picture
    source = look.couple.image
    target = plan.stage / "images" / split
    reasons = [
        text
        for text, true in (
            ("turned upright", picture.orientation != 1),
            ("CMYK to RGB", picture.mode == "CMYK"),
            ("first frame alone", picture.frames > 1),
            (f"{picture.format} to PNG", picture.format not in _SUFFIX),
        )
        if true
    ]
    if reasons:
        write_image(target / f"{name}.png", read_rgb(source))
        entries.append(_entry(plan, look, "image", "image", ", ".join(reasons)))
        return
    right = (
        source.suffix.lower()
        if Image.registered_extensions().get(source.suffix.lower()) == picture.format
        else ""
    )
    path = target / f"{name}{right or _SUFFIX[picture.format]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)
    if path.name != source.name:
        entries.append(_entry(plan, look, "image", "name", f"now {path.name}"))


def _write_classes(plan: _Plan) -> None:
    entries = [
        {"id": label, "name": name, "color": list(colour)}
        for label, (name, colour) in enumerate(
            zip(plan.classes.names, plan.classes.palette, strict=True)
        )
    ]
    (plan.stage / "classes.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def _entry(
    plan: _Plan, look: Look, change: str, why: str, text: str, *, mask: bool = False
) -> Change:
    path = look.couple.mask if mask else look.couple.image
    return {"file": shown(path, plan.root), "change": change, "why": why, "text": plain(text)}
