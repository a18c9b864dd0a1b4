"""Images and masks brought together by their names; what is left over becomes issues."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.datasets.issues import Issue, IssueNote, raise_first
from pixelwise.datasets.types import DataOptions, Pair, first, images_in

_MASK_NAME = re.compile(
    r"(.+?)[_-](?:masks?|labels?|labelids|labeltrainids|gt|seg|segmentation|annotation|matte|l)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Pairing:
    """Pairs by name, sorted, issues, and notes on what was left out."""

    pairs: tuple[Pair, ...]
    issues: tuple[Issue, ...]
    notes: tuple[str, ...] = ()


def pair_files(
    images: Iterable[Path],
    masks: Iterable[Path],
    options: DataOptions,
    *,
    where: Path,
    masks_in: Path | None = None,
) -> Pairing:
    """Pair the files of the folder `where` with masks of `masks_in` (the same folder by default).

    A mask is called as its image, or so with an ending such as `_mask`, `_label`, `_labelIds`,
    `_gt` or `_matte`. Training refuses two images or two masks of one name, a folder in which
    nothing pairs and, unless `skip_unpaired`, images without mask and masks without image.
    """
    by_image, doubles = _by_name(((path.stem, path) for path in images), "image")
    by_mask, double_masks = _by_name(
        ((image_name(path.stem, by_image), path) for path in masks), "mask"
    )
    issues = [*doubles, *double_masks]
    bare = [path for name, path in by_image.items() if name not in by_mask]
    lone = [path for name, path in by_mask.items() if name not in by_image]
    names = sorted(name for name in by_image if name in by_mask)
    pairs = tuple(Pair(name, by_image[name], by_mask[name]) for name in names)
    unpaired = describe_unpaired(bare, lone)
    refusal = ""
    if not by_image:
        refusal = (
            f"{where}: no images here; put them in as .jpg or .png and their masks beside them"
        )
    elif unpaired and not options.skip_unpaired:
        refusal = (
            f"{where}: {unpaired} (of {len(by_image)} images and {len(by_mask)} masks); "
            "add or rename them, or leave them out with --skip-unpaired"
        )
    elif not pairs:
        refusal = f"{where}: {unpaired}; a mask must be called as its image: a.jpg and a.png"
    masks_in = masks_in or where
    issues += _without_partner(bare, lone, where=where, masks_in=masks_in, refusal=refusal)
    if not pairs:
        issues.append(Issue("split-empty", where, "no image has a mask here", refusal=refusal))
    notes = (f"left out in {where.name}: {unpaired}",) if unpaired else ()
    return Pairing(pairs, tuple(issues), notes)


def pair_folders(images: Path, masks: Path, options: DataOptions) -> Pairing:
    """Pair the pictures of two folders; a folder that cannot be read is an issue."""
    files, unreadable = list_readable(images)
    mask_files, unreadable_masks = list_readable(masks)
    pairing = pair_files(files, mask_files, options, where=images, masks_in=masks)
    return replace(pairing, issues=(*unreadable, *unreadable_masks, *pairing.issues))


def list_readable(folder: Path) -> tuple[list[Path], list[Issue]]:
    """The pictures in a folder, none where it does not exist; an issue where it cannot be read."""
    try:
        return images_in(folder), []
    except OSError as error:
        reason = error.strerror or str(error)
        refusal = f"{folder}: {reason}; make the folder readable and try again"
        return [], [Issue("folder-unreadable", folder, reason, refusal=refusal)]


def pair_up(
    images: Iterable[Path], masks: Iterable[Path], options: DataOptions, *, where: Path
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """Pairs and notes as of `pair_files`. Raises DataError for what training refuses."""
    pairing = pair_files(images, masks, options, where=where)
    raise_first(pairing.issues)
    notes = (IssueNote.of(note, "image-without-mask", where) for note in pairing.notes)
    return pairing.pairs, tuple(notes)


def image_name(stem: str, images: Mapping[str, object]) -> str:
    """The name of the image that a mask called `stem` belongs to: its own, or that without `_mask`
    and the like.
    """
    match = None if stem in images else _MASK_NAME.fullmatch(stem)
    return match[1] if match and match[1] in images else stem


def describe_unpaired(bare: Sequence[Path], lone: Sequence[Path]) -> str:
    """How many images have no mask and masks no image, with the first of them."""
    parts = []
    if bare:
        plural = "s" * (len(bare) > 1)
        parts.append(f"{len(bare)} image{plural} without mask ({first(p.name for p in bare)})")
    if lone:
        plural = "s" * (len(lone) > 1)
        parts.append(f"{len(lone)} mask{plural} without image ({first(p.name for p in lone)})")
    return " and ".join(parts)


def _by_name(named: Iterable[tuple[str, Path]], side: str) -> tuple[dict[str, Path], list[Issue]]:
    """The first file of each name, and an issue for each further one."""
    files: dict[str, Path] = {}
    issues = []
    for name, path in named:
        if name not in files:
            files[name] = path
            continue
        used = files[name]
        what = "images" if side == "image" else "masks for one image"
        refusal = f"{path.parent}: two {what}, {used.name} and {path.name}; remove or rename one"
        text = (
            f"called as {used.name}"
            if side == "image"
            else f"{used.name} is the mask of that image as well"
        )
        issues.append(Issue(f"{side}-name-twice", path, text, refusal=refusal))
    return files, issues


def _without_partner(
    bare: Sequence[Path], lone: Sequence[Path], *, where: Path, masks_in: Path, refusal: str
) -> list[Issue]:
    issues = []
    for path in bare:
        text = f"no mask called {path.stem} in {masks_in.name}/"
        issues.append(Issue("image-without-mask", path, text, refusal=refusal))
    for path in lone:
        text = f"no image called {path.stem} in {where.name}/"
        issues.append(Issue("mask-without-image", path, text, refusal=refusal))
    return issues
