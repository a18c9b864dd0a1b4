"""One pair of a repaired copy: its mask as class ids, its image upright, and what was changed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.checks.reorient import fit_labels
from pixelwise.classes import VOID, Classes
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import printable, printable_path
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import ImageStats, MaskStats, PairStats
from pixelwise.datasets.strays import find_variant, read_nearest
from pixelwise.errors import DataError
from pixelwise.io.images import Array, read_rgb, write_image, write_labels

_SUFFIX = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "PPM": ".ppm",
}

Change = dict[str, object]
"""A line of the log: file, change, why, text."""


@dataclass(frozen=True)
class CopyPlan:
    """How every pair is written: encoding and classes of the copy, the lowest id (made 0), and the
    staging folder.
    """

    index: Index
    encoding: MaskEncoding
    classes: Classes
    lowest: int
    stage: Path


def write_pair(plan: CopyPlan, job: tuple[tuple[PairStats, str], str]) -> tuple[bool, list[Change]]:
    """Write one pair, the mask first; False with the reason where it cannot be repaired.

    What cannot be written (a full disk) ends the whole copy.
    """
    (stats, split), name = job
    if stats.image is None or stats.mask is None:
        return False, []
    entries: list[Change] = []
    target = plan.stage / "masks" / split / f"{name}.png"
    try:
        labels = _labels(plan, stats, stats.mask, entries)
        fitted, change = fit_labels(labels, stats)
        if change:
            entries.append(change_entry(plan, stats, "mask", *change, mask=True))
        if fitted is None:
            return False, entries
        write_labels(target, fitted, plan.classes.palette)
        _write_image(plan, stats, stats.image, split, name, entries)
    except DataError as error:
        target.unlink(missing_ok=True)
        return False, [change_entry(plan, stats, "left out", "mask-unreadable", str(error))]
    if split != stats.split:
        text = f"from {stats.split} to {split}"
        entries.append(change_entry(plan, stats, "moved", "split", text))
    return True, entries


def change_entry(
    plan: CopyPlan, stats: PairStats, change: str, why: str, text: str, *, mask: bool = False
) -> Change:
    """A line of the log on a pair's image or mask."""
    path = stats.pair.mask if mask else stats.pair.image
    file = printable_path(path, plan.index.root)
    return {"file": file, "change": change, "why": why, "text": printable(text)}


def _labels(plan: CopyPlan, stats: PairStats, mask: MaskStats, entries: list[Change]) -> Array:
    """The mask's labels in the copy's ids; what was changed is added to `entries`."""
    encoding = plan.encoding
    labels, strays = read_nearest(stats.pair, mask, encoding, plan.index.mask_source)
    if strays:
        void = strays.type == "value-outside-classes"
        change = "made void" if void else "given the nearest legal value"
        text = f"{strays.pixels} pixels {change}"
        entries.append(change_entry(plan, stats, "mask", strays.type, text, mask=True))
    if plan.index.format == "layers":
        text = f"joined, {mask.overlaps} pixels in two"
        entries.append(change_entry(plan, stats, "mask", "layout-layers", text, mask=True))
    odd = mask.in_alpha or mask.widened or mask.coloured or encoding.binary
    if odd or find_variant(mask, encoding) or encoding.form == "matte":
        text = f"{mask.file.mode} written as class ids"
        entries.append(change_entry(plan, stats, "mask", "encoding", text, mask=True))
    if plan.lowest:
        moved = labels - np.minimum(labels, plan.lowest)
        labels = np.where(labels == VOID, VOID, moved).astype(np.uint8)
    return labels


def _write_image(
    plan: CopyPlan,
    stats: PairStats,
    image: ImageStats,
    split: str,
    name: str,
    entries: list[Change],
) -> None:
    """Copy the file, or write it as PNG where it must be turned or converted."""
    source = stats.pair.image
    target = plan.stage / "images" / split
    reasons = _conversions(image)
    if reasons:
        write_image(target / f"{name}.png", read_rgb(source))
        entries.append(change_entry(plan, stats, "image", "image", ", ".join(reasons)))
        return
    format = image.file.format
    suffix = source.suffix.lower()
    right = suffix if Image.registered_extensions().get(suffix) == format else ""
    path = target / f"{name}{right or _SUFFIX[format]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)
    if path.name != source.name:
        entries.append(change_entry(plan, stats, "image", "name", f"now {path.name}"))


def _conversions(image: ImageStats) -> list[str]:
    """Why an image cannot be copied as it is."""
    file = image.file
    checks = (
        ("turned upright", file.orientation != 1),
        ("CMYK to RGB", file.mode == "CMYK"),
        ("first frame alone", file.frames > 1),
        (f"{file.format} to PNG", file.format not in _SUFFIX),
    )
    return [text for text, needed in checks if needed]
