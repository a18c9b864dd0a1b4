"""Decoding an image and its mask once, and measuring what is kept of them."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import Colour
from pixelwise.datasets.annotations.rasterize import read_rasterized
from pixelwise.datasets.edge_alignment import Fit, edge_strength, measure_fit, shrink_outline
from pixelwise.datasets.mask_reader import Raw, Values, pack, read_matte, read_raw
from pixelwise.datasets.pair_stats import (
    Depth,
    FileStats,
    ImageStats,
    MaskSource,
    MaskStats,
    PairStats,
    Problem,
    Size,
)
from pixelwise.datasets.perceptual_hash import hash_appearance, hash_content
from pixelwise.datasets.types import Pair
from pixelwise.errors import DataError
from pixelwise.io.images import Array, apply_orientation, check_readable, open_image

MAX_VALUES = 256
"""Values of a mask that are kept, the most frequent."""

_MULTI_FRAME = frozenset({"GIF", "TIFF", "WEBP"})
_ORIENTATION_TAG = 0x0112
# Of a picture's height and width, how much counts as its rim: a twelfth on each side.
_RIM_PART = 12
# Tones are counted in a sample of about this many rows and columns.
_TONE_SAMPLE = 64


def measure_pair(
    depth: Depth, source: MaskSource, split: str, pair: Pair, *, known: PairStats | None = None
) -> PairStats:
    """Decode a pair. What cannot be read is named, never raised; a mask that is `known` is not
    decoded unless its borders are needed.
    """
    problems: list[Problem] = []
    full = depth == "full"
    image = None
    strength = None
    if depth != "masks":
        try:
            image, strength = _measure_image(pair.image, full=full)
        except (DataError, OSError) as error:
            problems.append(_problem("image-unreadable", pair.image, error))
    mask = known.mask if known and not full else None
    raw = None
    if mask is None:
        try:
            mask, raw = measure_mask(pair.mask, source, full=full)
        except (DataError, OSError) as error:
            problems.append(_problem("mask-unreadable", pair.mask, error))
    agreement = None
    if image and mask and raw is not None and strength is not None:
        agreement = _fit(strength, raw, image.file.size)
    return PairStats(split, pair, image, mask, tuple(problems), agreement)


def measure_mask(path: Path, source: MaskSource, *, full: bool) -> tuple[MaskStats, Raw]:
    """The statistics of a mask and (H, W) values whose borders are those of its classes."""
    if source.draw:
        rasterized = read_rasterized(source.draw, path)
        labels = rasterized.labels
        size = (labels.shape[0], labels.shape[1])
        content = hash_content(labels) if full else b""
        file = FileStats(size, size, 1, "L", "", 1, content)
        stats = replace(
            _mask_stats(file, labels, coloured=False, full=full),
            overlaps=rasterized.overlapped,
            clipped=rasterized.clipped,
            blank=rasterized.blank,
        )
        return stats, labels
    mask = read_matte(path) if source.matte else read_raw(path)
    raw = mask.values
    content = hash_content(raw) if full else b""
    file = _file_stats(mask.image, raw.shape, content=content)
    stats = replace(
        _mask_stats(file, raw, coloured=mask.coloured, full=full),
        palette=_palette(mask.image),
        rgb=mask.rgb,
        in_alpha=mask.in_alpha,
        alpha=mask.alpha,
        widened=mask.widened,
    )
    return stats, raw >= 128 if source.matte else raw


def _fit(strength: NDArray[np.float32], raw: Raw, size: Size) -> Fit | None:
    """How the borders of `raw` lie on the edges of an image of `size`; None where sizes differ."""
    if raw.shape != size:
        return None
    shape = (strength.shape[0], strength.shape[1])
    return measure_fit(strength, shrink_outline(raw, shape), size)


def _problem(
    type: Literal["image-unreadable", "mask-unreadable"], path: Path, error: Exception
) -> Problem:
    reason = error.reason if isinstance(error, DataError) else str(error)
    return Problem(type, path, reason, error)


def _file_stats(
    image: Image.Image, size: tuple[int, ...], *, frames: int = 1, content: bytes = b""
) -> FileStats:
    return FileStats(
        size=(size[0], size[1]),
        stored=(image.height, image.width),
        orientation=int(image.getexif().get(_ORIENTATION_TAG, 1) or 1),
        mode=image.mode,
        format=image.format or "",
        frames=frames,
        content=content,
    )


def _measure_image(path: Path, *, full: bool) -> tuple[ImageStats, NDArray[np.float32] | None]:
    """The statistics of an image and, if `full`, the strength of its edges."""
    image = open_image(path)
    check_readable(image, path)
    upright = apply_orientation(image)
    if not full:
        return ImageStats(_file_stats(image, (upright.height, upright.width))), None
    if upright.mode.startswith("I;16"):
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    colours = upright.mode not in ("1", "L", "LA", "La")
    pixels: Array = np.asarray(upright.convert("RGB" if colours else "L"))
    grey = upright.convert("L")
    low, high = grey.getextrema()
    step = (max(1, pixels.shape[0] // _TONE_SAMPLE), max(1, pixels.shape[1] // _TONE_SAMPLE))
    sample = pixels[:: step[0], :: step[1]]
    print_, thumb = hash_appearance(grey)
    frames = _count_frames(path) if image.format in _MULTI_FRAME else 1
    stats = ImageStats(
        file=_file_stats(image, pixels.shape, frames=frames, content=hash_content(pixels)),
        low=int(low),  # type: ignore[arg-type]
        high=int(high),  # type: ignore[arg-type]
        grey=colours and _is_grey(sample) and _is_grey(pixels),
        transparent=_is_transparent(upright),
        tones=len(np.unique(pack(sample) if colours else sample)),
        print=print_,
        thumb=thumb,
        full=True,
    )
    return stats, edge_strength(grey)


def _is_transparent(image: Image.Image) -> bool:
    return "A" in image.getbands() and int(np.asarray(image.getchannel("A")).min()) < 255


def _count_frames(path: Path) -> int:
    with Image.open(path) as image:
        return getattr(image, "n_frames", 1)


def _is_grey(pixels: Array) -> bool:
    return bool(
        (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
    )


def _mask_stats(file: FileStats, raw: Raw, *, coloured: bool, full: bool) -> MaskStats:
    values, counts, solid = _count_values(raw)
    kept = np.sort(np.argsort(-counts, kind="stable")[:MAX_VALUES])
    table = np.stack([values[kept], counts[kept], solid[kept]]).astype(np.int32)
    stats = MaskStats(file, coloured, table, len(values), full=full)
    if not full:
        return stats
    between = _share_between(_brightness(raw) if coloured else raw)
    rim, core = _rim_and_core(raw)
    return replace(stats, between=between, rim=rim, core=core)


def _count_values(raw: Raw) -> tuple[Values, Values, Values]:
    """The distinct values, sorted, the pixels of each, and those whose right and lower neighbours
    have it too.
    """
    corner = raw[:-1, :-1]
    alike = (corner == raw[1:, :-1]) & (corner == raw[:-1, 1:])
    if raw.dtype == np.uint8:
        counts = np.bincount(raw.ravel(), minlength=256)
        solid = np.bincount(corner[alike], minlength=256)
        values = np.flatnonzero(counts)
        return values, counts[values], solid[values]
    flat = raw.ravel()
    # Runs are long: few values are left to sort.
    starts = np.flatnonzero(np.diff(flat, prepend=flat[:1] - 1))
    values, inverse = np.unique(flat[starts], return_inverse=True)
    lengths = np.diff(starts, append=len(flat))
    places = np.repeat(inverse, lengths).reshape(raw.shape)
    counts = np.bincount(places.ravel(), minlength=len(values))
    solid = np.bincount(places[:-1, :-1][alike], minlength=len(values))
    return values, counts, solid


def _brightness(packed: Raw) -> Values:
    wide = np.asarray(packed, np.int64)
    return np.asarray((wide >> 16) + (wide >> 8 & 255) + (wide & 255), np.int64)


def _share_between(raw: Raw) -> float:
    """Of the steps between unlike neighbours in a row, the share that go on in the same direction
    one pixel later.
    """
    steps = np.diff(raw.astype(np.int32), axis=1)
    total = int(np.count_nonzero(steps))
    if not total:
        return 0.0
    signs = np.sign(steps).astype(np.int8)
    return int(np.count_nonzero(signs[:, 1:] * signs[:, :-1] > 0)) / total


def _rim_and_core(raw: Raw) -> tuple[float, float]:
    low = int(raw.min())
    high = int(raw.max())
    upper = raw > (low + high) / 2
    down = max(1, raw.shape[0] // _RIM_PART)
    across = max(1, raw.shape[1] // _RIM_PART)
    core = upper[down:-down, across:-across]
    inside = int(core.sum())
    total = int(upper.sum())
    return (total - inside) / max(1, upper.size - core.size), inside / max(1, core.size)


def _palette(image: Image.Image) -> tuple[Colour, ...] | None:
    flat = image.getpalette("RGB") if image.mode == "P" else None
    return colours_of(bytes(flat)) if flat else None


@lru_cache(maxsize=64)
def colours_of(flat: bytes) -> tuple[Colour, ...]:
    """The colours of a palette; the same palette is kept once."""
    return tuple((flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat) - 2, 3))
