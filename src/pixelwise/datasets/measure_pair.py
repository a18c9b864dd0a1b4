"""Decoding an image and its mask once, and measuring what is stored of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.datasets.annotations.rasterize import read_rasterized
from pixelwise.datasets.edge_alignment import Fit, edge_strength, measure_fit, shrink_outline
from pixelwise.datasets.mask_numbers import Raw
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
from pixelwise.datasets.raw_mask import Values, pack, palette_of, read_matte, read_raw
from pixelwise.datasets.types import Pair
from pixelwise.errors import DataError
from pixelwise.io.channels import TO_SHOW
from pixelwise.io.images import Array, read_picture
from pixelwise.io.open_images import find_orientation

# Values of a mask that are stored, the most frequent: a photograph in the place of a mask has
# thousands, and would cost as much memory as its pixels.
MAX_VALUES = 256

# Of a picture's height and width, how much counts as its rim: a twelfth on each side.
_RIM_PART = 12
# Tones are counted in a sample of about this many rows and columns.
_TONE_SAMPLE = 64
# Alpha from which a pixel of a matte counts when borders are compared with edges.
_HALF = 128


def measure_pair(
    depth: Depth,
    source: MaskSource,
    split: str,
    pair: Pair,
    *,
    known: PairStats | None = None,
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
    fit = None
    if image and raw is not None and strength is not None:
        fit = _fit(strength, raw, image.file.size)
    return PairStats(
        split,
        pair,
        image,
        mask,
        tuple(problems),
        fit,
    )


def measure_mask(
    path: Path,
    source: MaskSource,
    *,
    full: bool,
) -> tuple[MaskStats, Raw]:
    """The statistics of a mask and (H, W) values whose borders are those of its classes."""
    if source.draw:
        return _measure_rasterized(source.draw, path, full=full)
    mask = read_matte(path) if source.matte else read_raw(path)
    raw = mask.values
    content = hash_content(raw) if full else b""
    file = _file_stats(mask.image, raw.shape, content=content)
    stats = replace(
        _mask_stats(file, raw, coloured=mask.coloured, full=full),
        palette=palette_of(mask.image),
        rgb=mask.rgb,
        in_alpha=mask.in_alpha,
        alpha=mask.alpha,
        widened=mask.widened,
        zero_is_nodata=mask.zero_is_nodata,
        lossy=mask.lossy,
    )
    return stats, raw >= _HALF if source.matte else raw


def _measure_rasterized(
    draw: Callable[[Path], Array],
    path: Path,
    *,
    full: bool,
) -> tuple[MaskStats, Raw]:
    """Labels that are drawn from annotations, as if they stood in a grey picture."""
    rasterized = read_rasterized(draw, path)
    labels = rasterized.labels
    size = (labels.shape[0], labels.shape[1])
    content = hash_content(labels) if full else b""
    file = FileStats(
        size,
        size,
        orientation=1,
        mode="L",
        format="",
        content=content,
    )
    stats = replace(
        _mask_stats(file, labels, coloured=False, full=full),
        overlaps=rasterized.overlapped,
        clipped=rasterized.clipped,
        blank=rasterized.blank,
    )
    return stats, labels


def _fit(
    strength: NDArray[np.float32],
    raw: Raw,
    size: Size,
) -> Fit | None:
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
    image: Image.Image,
    size: tuple[int, ...],
    *,
    content: bytes = b"",
) -> FileStats:
    return FileStats(
        size=(size[0], size[1]),
        stored=(image.height, image.width),
        orientation=find_orientation(image),
        mode=image.mode,
        format=image.format or "",
        content=content,
    )


def measure_image(path: Path) -> ImageStats:
    """What a file is, and what reading did to it. Raises ImageError."""
    return _measure_image(path, full=False)[0]


def _measure_image(path: Path, *, full: bool) -> tuple[ImageStats, NDArray[np.float32] | None]:
    """The statistics of an image as networks see it and, if `full`, the strength of its edges."""
    picture = read_picture(path, TO_SHOW)
    image = picture.image
    file = FileStats(
        size=(image.height, image.width),
        stored=picture.stored,
        orientation=picture.orientation,
        mode=picture.mode,
        format=picture.format,
        frames=picture.frames,
    )
    if not full:
        return ImageStats(file, notes=picture.notes), None
    grey = image.convert("L")
    return _image_stats(ImageStats(file, notes=picture.notes), image, grey), edge_strength(grey)


def _image_stats(stats: ImageStats, image: Image.Image, grey: Image.Image) -> ImageStats:
    coloured = image.mode == "RGB"
    pixels: Array = np.asarray(image)
    sample = _sample(pixels)
    tones = np.unique(pack(sample) if coloured else sample)
    low, high = grey.getextrema()
    print_, thumb = hash_appearance(grey)
    return replace(
        stats,
        file=replace(stats.file, content=hash_content(pixels)),
        low=int(low),  # type: ignore[arg-type]
        high=int(high),  # type: ignore[arg-type]
        # The sample first: nearly every photograph in colours is known by it.
        grey=coloured and _is_grey(sample) and _is_grey(pixels),
        tones=len(tones),
        print=print_,
        thumb=thumb,
        full=True,
    )


def _sample(pixels: Array) -> Array:
    height, width = pixels.shape[:2]
    row_step = max(1, height // _TONE_SAMPLE)
    column_step = max(1, width // _TONE_SAMPLE)
    return pixels[::row_step, ::column_step]


def _is_grey(pixels: Array) -> bool:
    red = pixels[..., 0]
    green = pixels[..., 1]
    blue = pixels[..., 2]
    return bool((red == green).all() and (green == blue).all())


def _mask_stats(
    file: FileStats,
    raw: Raw,
    *,
    coloured: bool,
    full: bool,
) -> MaskStats:
    values, counts, solid = _count_values(raw)
    by_count = np.argsort(-counts, kind="stable")
    frequent = np.sort(by_count[:MAX_VALUES])
    table = np.stack([values[frequent], counts[frequent], solid[frequent]]).astype(np.int32)
    stats = MaskStats(
        file,
        coloured,
        table,
        len(values),
        full=full,
    )
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
    below = raw[1:, :-1]
    beside = raw[:-1, 1:]
    solid = (corner == below) & (corner == beside)
    if raw.dtype == np.uint8:
        # Counting in 256 bins is many times as quick as sorting.
        pixels = np.bincount(raw.ravel(), minlength=256)
        solid_pixels = np.bincount(corner[solid], minlength=256)
        values = np.flatnonzero(pixels)
        return values, pixels[values], solid_pixels[values]
    values, positions = _find_values(raw)
    pixels = np.bincount(positions.ravel(), minlength=len(values))
    solid_pixels = np.bincount(positions[:-1, :-1][solid], minlength=len(values))
    return values, pixels, solid_pixels


def _find_values(raw: Raw) -> tuple[Values, NDArray[np.intp]]:
    """The distinct values, sorted, and (H, W) the position of each pixel's among them."""
    flat = raw.ravel()
    # Runs are long: few values are left to sort. What is put before the first differs from it.
    starts = np.flatnonzero(np.diff(flat, prepend=flat[:1] - 1))
    values, run_positions = np.unique(flat[starts], return_inverse=True)
    lengths = np.diff(starts, append=len(flat))
    positions = np.repeat(run_positions, lengths)
    return values, positions.reshape(raw.shape)


def _brightness(packed: Raw) -> Values:
    wide = np.asarray(packed, np.int64)
    red = wide >> 16
    green = wide >> 8 & 255
    blue = wide & 255
    return np.asarray(red + green + blue, np.int64)


def _share_between(raw: Raw) -> float:
    """Of the steps between unlike neighbours in a row, the share that go on in the same direction
    one pixel later.
    """
    steps = np.diff(raw.astype(np.int32), axis=1)
    total = int(np.count_nonzero(steps))
    if not total:
        return 0.0
    signs = np.sign(steps).astype(np.int8)
    products = signs[:, 1:] * signs[:, :-1]
    return int(np.count_nonzero(products > 0)) / total


def _rim_and_core(raw: Raw) -> tuple[float, float]:
    """The shares of the rim and of the rest that have the upper half of the values."""
    middle = (int(raw.min()) + int(raw.max())) / 2
    upper = raw > middle
    rows = max(1, raw.shape[0] // _RIM_PART)
    columns = max(1, raw.shape[1] // _RIM_PART)
    core = upper[rows:-rows, columns:-columns]
    in_core = int(core.sum())
    in_rim = int(upper.sum()) - in_core
    rim_size = upper.size - core.size
    # Pictures of one or two pixels are all rim.
    return in_rim / max(1, rim_size), in_core / max(1, core.size)
