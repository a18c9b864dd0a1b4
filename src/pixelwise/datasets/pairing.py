"""Images and masks brought together by their names; what is left over becomes issues."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.datasets.issues import Issue
from pixelwise.datasets.types import DataOptions, Pair, first, images_in

# Endings of the masks of annotation tools and public sets: labelIds is of Cityscapes, _L of CamVid.
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
    by_image, image_issues = _by_name(((path.stem, path) for path in images), "image")
    named_masks = ((image_name(path.stem, by_image), path) for path in masks)
    by_mask, mask_issues = _by_name(named_masks, "mask")
    without_mask = [path for name, path in by_image.items() if name not in by_mask]
    without_image = [path for name, path in by_mask.items() if name not in by_image]
    names = sorted(name for name in by_image if name in by_mask)
    pairs = tuple(Pair(name, by_image[name], by_mask[name]) for name in names)
    unpaired = describe_unpaired(without_mask, without_image)
    refusal = _refusal(
        where,
        len(by_image),
        len(by_mask),
        unpaired,
        options,
    )
    if not refusal and not pairs:
        refusal = f"{where}: {unpaired}; a mask must be called as its image: a.jpg and a.png"
    issues = [
        *image_issues,
        *mask_issues,
        *_list_without_mask(without_mask, masks_in or where, refusal),
        *_list_without_image(without_image, where, refusal),
    ]
    if not pairs:
        issues.append(Issue("split-empty", where, "no image has a mask here", refusal=refusal))
    notes = (f"left out in {where.name}: {unpaired}",) if unpaired else ()
    return Pairing(pairs, tuple(issues), notes)


def _refusal(
    where: Path,
    images: int,
    masks: int,
    unpaired: str,
    options: DataOptions,
) -> str:
    """Why training refuses the folder; empty where it goes on."""
    if not images:
        return f"{where}: no images here; put them in as .jpg or .png and their masks beside them"
    if unpaired and not options.skip_unpaired:
        return (
            f"{where}: {unpaired} (of {images} images and {masks} masks); "
            "add or rename them, or leave them out with --skip-unpaired"
        )
    return ""


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


def image_name(stem: str, images: Mapping[str, object]) -> str:
    """The name of the image that a mask called `stem` belongs to: its own, or that without `_mask`
    and the like.
    """
    # The whole name first: an image may itself be called as a mask, such as cat_l.
    if stem in images:
        return stem
    match = _MASK_NAME.fullmatch(stem)
    return match[1] if match and match[1] in images else stem


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
