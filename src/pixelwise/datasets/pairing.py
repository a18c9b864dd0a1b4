"""Images and masks brought together by their names; what is left over becomes issues."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_names import NameMatch, match_names
from pixelwise.datasets.name_hints import (
    NAME_RULE,
    describe_name_difference,
    describe_other_formats,
)
from pixelwise.datasets.readers.truth_folders import list_subfolders
from pixelwise.datasets.types import DataOptions, Pair, first, images_in
from pixelwise.io.image_formats import describe_left_aside, list_left_aside


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
    image_stem: Callable[[str], str] = str,
) -> Pairing:
    """Pair the files of the folder `where` with masks of `masks_in` (the same folder by default).

    A mask is called as its image, with a word such as `mask`, `label` or `gt` behind or before it
    where need be; see `match_names`; `image_stem` takes from an image's name what its mask
    does not have. Training refuses two images or two masks of one name, a folder
    in which nothing pairs and, unless `skip_unpaired`, images without mask and masks without image.
    """
    masks_in = masks_in or where
    mask_files = list(masks)
    named_images = ((image_stem(path.stem), path) for path in images)
    by_image, image_issues = _by_name(named_images, "image")
    match = match_names(by_image, [path.stem for path in mask_files])
    companions = frozenset(match.companions)
    named_masks = (
        (match.images.get(path.stem, path.stem), path)
        for path in mask_files
        if path.stem not in companions
    )
    by_mask, mask_issues = _by_name(named_masks, "mask")
    without_mask = [path for name, path in by_image.items() if name not in by_mask]
    without_image = [path for name, path in by_mask.items() if name not in by_image]
    names = sorted(name for name in by_image if name in by_mask)
    pairs = tuple(Pair(name, by_image[name], by_mask[name]) for name in names)
    unpaired = describe_unpaired(without_mask, without_image)
    other_formats = describe_other_formats(masks_in, without_mask)
    hint = other_formats or describe_name_difference(without_mask, without_image)
    counts = f"{len(by_image)} images and {len(by_mask)} masks"
    refusal = _refusal(where, unpaired, counts, hint, options, nothing_pairs=not pairs)
    if not by_image:
        refusal = f"{where}: no images here{_describe_inside(where)}"
    issues = [
        *image_issues,
        *mask_issues,
        *_list_without_mask(without_mask, masks_in, refusal),
        *_list_without_image(without_image, where, refusal),
        *_list_companions(mask_files, match, masks_in),
    ]
    if other_formats:
        issues.append(Issue("masks-other-format", masks_in, other_formats))
    if not pairs:
        issues.append(Issue("split-empty", where, "no image has a mask here", refusal=refusal))
    notes = (f"left out in {where.name}: {unpaired}",) if unpaired else ()
    return Pairing(pairs, tuple(issues), notes)


def _describe_inside(folder: Path) -> str:
    """What a folder without images holds, and the way out."""
    left_aside = describe_left_aside(list_left_aside(folder)) if folder.is_dir() else ""
    inner = [path for path in list_subfolders(folder) if images_in(path)]
    if inner:
        return (
            f", but in {len(inner)} folders in it, {first(path.name for path in inner)}; move them "
            "here with names of their own, or list the pairs in train.txt at the top of the data "
            f"set, a line each: {folder.name}/{inner[0].name}/a.jpg masks/{inner[0].name}/a.png"
        )
    advice = "put them in as .jpg or .png and their masks beside them"
    return f" ({left_aside}); {advice}" if left_aside else f"; {advice}"


def _refusal(
    where: Path,
    unpaired: str,
    counts: str,
    hint: str,
    options: DataOptions,
    *,
    nothing_pairs: bool,
) -> str:
    """Why training refuses the folder; empty where it goes on."""
    if nothing_pairs:
        return f"{where}: {unpaired}; {hint or NAME_RULE}"
    if unpaired and not options.skip_unpaired:
        advice = f"{hint}; " if hint else ""
        return (
            f"{where}: {unpaired} (of {counts}); {advice}"
            "add or rename them, or leave them out with --skip-unpaired"
        )
    return ""


def _list_companions(
    masks: Sequence[Path],
    match: NameMatch,
    masks_in: Path,
) -> Iterator[Issue]:
    """What was not taken for a mask, and names that were compared in part."""
    if match.affixes:
        yield Issue("names-in-part", masks_in, match.affixes, count=len(match.images))
    if match.companions:
        by_stem = {path.stem: path.name for path in masks}
        example = by_stem[match.companions[0]]
        text = f"{len(match.companions)} pictures such as {example} are not read as masks"
        yield Issue("beside-unused", masks_in, text, count=len(match.companions))


def pair_folders(images: Path, masks: Path, options: DataOptions) -> Pairing:
    """Pair the pictures of two folders; a folder that cannot be read is an issue."""
    files, unreadable = list_readable(images)
    mask_files, unreadable_masks = list_readable(masks)
    pairing = pair_files(
        files,
        mask_files,
        options,
        where=images,
        masks_in=masks,
    )
    return replace(pairing, issues=(*unreadable, *unreadable_masks, *pairing.issues))


def list_readable(folder: Path) -> tuple[list[Path], list[Issue]]:
    """The pictures in a folder, none where it does not exist; an issue where it cannot be read."""
    try:
        return images_in(folder), []
    except OSError as error:
        reason = error.strerror or str(error)
        refusal = f"{folder}: {reason}; make the folder readable and try again"
        return [], [Issue("folder-unreadable", folder, reason, refusal=refusal)]


def describe_unpaired(without_mask: Sequence[Path], without_image: Sequence[Path]) -> str:
    """How many images have no mask and masks no image, with the first of them."""
    parts = []
    if without_mask:
        parts.append(f"{_count(without_mask, 'image')} without mask ({_names(without_mask)})")
    if without_image:
        parts.append(f"{_count(without_image, 'mask')} without image ({_names(without_image)})")
    return " and ".join(parts)


def _count(paths: Sequence[Path], noun: str) -> str:
    plural = "s" if len(paths) > 1 else ""
    return f"{len(paths)} {noun}{plural}"


def _names(paths: Sequence[Path]) -> str:
    return first(path.name for path in paths)


def _by_name(named: Iterable[tuple[str, Path]], side: str) -> tuple[dict[str, Path], list[Issue]]:
    """The first file of each name, and an issue for each further one."""
    files: dict[str, Path] = {}
    issues = []
    for name, path in named:
        used = files.setdefault(name, path)
        if used is not path:
            issues.append(_double_issue(path, used, side))
    return files, issues


def _double_issue(path: Path, used: Path, side: str) -> Issue:
    if side == "image":
        what = "images"
        text = f"called as {used.name}"
    else:
        what = "masks for one image"
        text = f"{used.name} is the mask of that image as well"
    refusal = f"{path.parent}: two {what}, {used.name} and {path.name}; remove or rename one"
    return Issue(f"{side}-name-twice", path, text, refusal=refusal)


def _list_without_mask(
    images: Iterable[Path],
    masks_in: Path,
    refusal: str,
) -> Iterator[Issue]:
    for path in images:
        text = f"no mask called {path.stem} in {masks_in.name}/"
        yield Issue("image-without-mask", path, text, refusal=refusal)


def _list_without_image(
    masks: Iterable[Path],
    where: Path,
    refusal: str,
) -> Iterator[Issue]:
    for path in masks:
        text = f"no image called {path.stem} in {where.name}/"
        yield Issue("mask-without-image", path, text, refusal=refusal)
