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
from pixelwise.datasets.strays import Strays, find_variant, read_nearest
from pixelwise.errors import DataError
from pixelwise.io.images import Array, read_rgb, write_image, write_labels

# How a copied file is called where its suffix is wrong; a format that is not here becomes PNG. An
# MPO is a JPEG to every reader that takes the first picture alone.
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

Job = tuple[tuple[PairStats, str], str]
"""A pair with its split in the copy, and its name there."""

Outcome = tuple[bool, list[Change]]
"""Whether a pair was written, and what was changed."""


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


def write_pair(plan: CopyPlan, job: Job) -> Outcome:
    """Write one pair, the mask first; False with the reason where it cannot be repaired.

    What cannot be written (a full disk) ends the whole copy.
    """
    (stats, split), name = job
    if stats.image is None or stats.mask is None:
        return False, []
    mask_path = plan.stage / "masks" / split / f"{name}.png"
    try:
        labels, entries = _repair_labels(plan, stats, stats.mask)
        if labels is None:
            return False, entries
        write_labels(mask_path, labels, plan.classes.palette)
        image_folder = plan.stage / "images" / split
        entries += _write_image(
            plan,
            stats,
            stats.image,
            image_folder,
            name,
        )
    except DataError as error:
        # The image failed after its mask was written: a mask alone would be an error of the copy.
        mask_path.unlink(missing_ok=True)
        return False, [
            change_entry(
                plan,
                stats,
                "left out",
                "mask-unreadable",
                str(error),
            )
        ]
    if split != stats.split:
        text = f"from {stats.split} to {split}"
        entries.append(
            change_entry(
                plan,
                stats,
                "moved",
                "split",
                text,
            )
        )
    return True, entries


def change_entry(
    plan: CopyPlan,
    stats: PairStats,
    change: str,
    why: str,
    text: str,
    *,
    mask: bool = False,
) -> Change:
    """A line of the log on a pair's image or mask."""
    path = stats.pair.mask if mask else stats.pair.image
    file = printable_path(path, plan.index.root)
    return {"file": file, "change": change, "why": why, "text": printable(text)}


def _repair_labels(
    plan: CopyPlan, stats: PairStats, mask: MaskStats
) -> tuple[Array | None, list[Change]]:
    """The mask's labels (H, W) in the copy's ids and at its image's size, and what was changed;
    None where nothing is sure of the size.
    """
    encoding = plan.encoding
    labels, strays = read_nearest(stats.pair, mask, encoding, plan.index.mask_source)
    changes = _describe_changes(plan, mask, strays)
    fitted, change = fit_labels(_from_zero(labels, plan.lowest), stats)
    if change:
        changes.append(change)
    entries = [
        change_entry(
            plan,
            stats,
            "mask",
            why,
            text,
            mask=True,
        )
        for why, text in changes
    ]
    return fitted, entries


def _describe_changes(
    plan: CopyPlan, mask: MaskStats, strays: Strays | None
) -> list[tuple[str, str]]:
    """(type of issue, text) of what reading has changed in a mask."""
    changes = []
    if strays:
        void = strays.type == "value-outside-classes"
        change = "made void" if void else "given the nearest legal value"
        changes.append((strays.type, f"{strays.pixels} pixels {change}"))
    if plan.index.format == "layers":
        changes.append(("layout-layers", f"joined, {mask.overlaps} pixels in two"))
    if _is_rewritten(mask, plan.encoding):
        changes.append(("encoding", f"{mask.file.mode} written as class ids"))
    return changes


def _is_rewritten(mask: MaskStats, encoding: MaskEncoding) -> bool:
    """Whether the file's own values are others than the copy's class ids."""
    odd = mask.in_alpha or mask.widened or mask.coloured
    renumbered = encoding.binary or encoding.form == "matte"
    return bool(odd or renumbered or find_variant(mask, encoding))


def _from_zero(labels: Array, lowest: int) -> Array:
    """Labels with `lowest` as class 0; void stays."""
    if not lowest:
        return labels
    # Labels below `lowest` occur in no mask; in uint8 they would wrap around.
    moved = labels - np.minimum(labels, lowest)
    return np.where(labels == VOID, VOID, moved).astype(np.uint8)


def _write_image(
    plan: CopyPlan, stats: PairStats, image: ImageStats, folder: Path, name: str
) -> list[Change]:
    """Copy the file, or write it as PNG where it must be turned or converted; what was changed."""
    source = stats.pair.image
    reasons = _conversions(image)
    if reasons:
        write_image(folder / f"{name}.png", read_rgb(source))
        return [
            change_entry(
                plan,
                stats,
                "image",
                "image",
                ", ".join(reasons),
            )
        ]
    path = folder / f"{name}{_copy_suffix(source, image.file.format)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    # The very bytes: saving a JPEG again would lose detail and its camera's data.
    shutil.copyfile(source, path)
    if path.name == source.name:
        return []
    return [
        change_entry(
            plan,
            stats,
            "image",
            "name",
            f"now {path.name}",
        )
    ]


def _copy_suffix(source: Path, format: str) -> str:
    """The file's own suffix where it is one of its format, else that format's."""
    suffix = source.suffix.lower()
    if Image.registered_extensions().get(suffix) == format:
        return suffix
    return _SUFFIX[format]


def _conversions(image: ImageStats) -> list[str]:
    """Why an image cannot be copied as it is."""
    file = image.file
    reasons = []
    if file.orientation != 1:
        reasons.append("turned upright")
    types = {note.type for note in image.notes}
    if file.mode == "CMYK":
        reasons.append("CMYK to RGB")
    if "image-frames" in types:
        reasons.append("first frame alone")
    if "image-transparent" in types:
        reasons.append("put on white")
    if file.format not in _SUFFIX:
        reasons.append(f"{file.format} to PNG")
    return reasons
