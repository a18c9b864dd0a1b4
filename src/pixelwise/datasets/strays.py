"""Masks that do not agree with the encoding of their data set: pixels whose value has no meaning,
and masks that are written in another way; how they are read all the same.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from pixelwise.classes import VOID, find_edges
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.mask_numbers import Raw
from pixelwise.datasets.mixed_masks import are_multiples
from pixelwise.datasets.pair_stats import MaskSource, MaskStats
from pixelwise.datasets.raw_mask import Values, pack_colour, read_matte, read_raw, unpack
from pixelwise.datasets.types import Pair
from pixelwise.io.images import Array

Variant = Literal["", "one", "full", "stretched", "palette"]
"""How one mask is written where it departs from the others: `one` is 0 and 1 among masks of 0 and
255, `full` 0 and 255 among masks of ids, `stretched` ids that were multiplied, `palette` values
whose palette holds the colours of the others."""

# Different strays in a mask from which on it was compressed or resized, not drawn wrongly.
MANY_STRAYS = 6

# Smooth resizing invents values up to so many pixels from a border.
_NEAR_BORDER = 3
# Share of strays beside borders: halved and back .72 and more, JPEG .61 and less (camvid, voc,
# portraits).
_BLEND = 0.65
# Strange values whose distances to all classes are held at once: bounds the memory.
_BATCH = 4096
# A mask of 0 and 255 that is void all but everywhere is void, not a mask of two classes.
_MOST_VOID = 0.999


@dataclass(frozen=True, slots=True)
class Strays:
    """Pixels whose value has no meaning: how many, of how many values, the first of them and the
    nearest legal value.

    `type` says how they came to be, as a key of ISSUE_TYPES.
    """

    type: str
    pixels: int
    distinct: int
    first: tuple[int, int]
    value: str
    nearest: str


def find_variant(stats: MaskStats, encoding: MaskEncoding) -> Variant:
    """How a mask is written; empty for as the others."""
    if stats.coloured or encoding.form in ("matte", "drawn"):
        return ""
    values = stats.drawn
    if encoding.form == "binary":
        return "one" if 1 in values and values <= {0, 1} else ""
    if _is_stretched(values, encoding):
        return "stretched"
    if _is_full(stats, values, encoding):
        return "full"
    if _is_palette(stats, values, encoding):
        return "palette"
    return ""


def _is_stretched(values: set[int], encoding: MaskEncoding) -> bool:
    """Whether a mask holds ids of the others times a number."""
    ids = values - {0}
    highest = len(encoding.classes) - 1
    return bool(encoding.stretch and ids and are_multiples(ids, encoding.stretch, highest))


def _is_full(
    stats: MaskStats,
    values: set[int],
    encoding: MaskEncoding,
) -> bool:
    """Whether a mask holds 0 and 255 where the others hold ids, and 255 nowhere beside them."""
    if encoding.void_drawn or len(encoding.classes) < 2:
        return False
    return VOID in values and values <= {0, VOID} and _is_partly_void(stats)


def _is_partly_void(stats: MaskStats) -> bool:
    total = int(stats.counts.sum())
    void = int(stats.counts[stats.values == VOID].sum())
    return 0 < void <= _MOST_VOID * total


def _is_palette(
    stats: MaskStats,
    values: set[int],
    encoding: MaskEncoding,
) -> bool:
    """Whether a mask holds numbers whose palette has the colours of the others."""
    palette = stats.palette
    if encoding.form != "colours" or not palette:
        return False
    # A palette may end before the highest value that is drawn.
    if any(value >= len(palette) for value in values):
        return False
    legal = {raw for raw, _ in encoding.colours}
    return all(pack_colour(palette[value]) in legal for value in values)


def read_nearest(
    pair: Pair, stats: MaskStats, encoding: MaskEncoding, source: MaskSource
) -> tuple[Array, Strays | None]:
    """Labels (H, W) uint8, and what was strange in them.

    Strays take the nearest legal colour or value, or are void where they are few and were numbers:
    such a value says nothing of its neighbours.
    """
    if source.draw:
        return source.draw(pair.mask), None
    raw, coloured = _read_as_set(pair, stats, encoding, source)
    values, ids = encoding.table(coloured)
    positions = np.minimum(np.searchsorted(values, raw), len(values) - 1)
    wrong = values[positions] != raw  # (H, W)
    if not wrong.any():
        return ids[positions], None
    strange, inverse = np.unique(raw[wrong], return_inverse=True)
    nearest = _nearest_positions(strange, values, ids, coloured=coloured)
    positions[wrong] = nearest[inverse]
    labels = ids[positions]
    replacements = dict(zip(strange.tolist(), values[nearest].tolist(), strict=True))
    lossy = stats.lossy
    strays = _describe(
        raw,
        wrong,
        labels,
        replacements,
        coloured=coloured,
        lossy=lossy,
    )
    if strays.type == "value-outside-classes":
        labels[wrong] = VOID
    return labels, strays


def _read_as_set(
    pair: Pair, stats: MaskStats, encoding: MaskEncoding, source: MaskSource
) -> tuple[Raw, bool]:
    """The raw values of a mask as the others of its set are written, and whether they are packed
    colours.
    """
    mask = read_matte(pair.mask) if source.matte else read_raw(pair.mask)
    raw, coloured = mask.read_as(
        alpha=encoding.alpha,
        grey_as_numbers=encoding.grey_as_numbers,
        by_palette=encoding.by_palette,
        instances=encoding.instances,
    )
    raw, coloured = _as_the_others(raw, coloured, stats, encoding)
    # Where no colour has a meaning, colours are strays among the numbers.
    return raw, coloured and bool(encoding.colours)


def _as_the_others(
    raw: Raw, coloured: bool, stats: MaskStats, encoding: MaskEncoding
) -> tuple[Raw, bool]:
    variant = find_variant(stats, encoding)
    if variant == "one":
        foreground = (raw > 0).astype(np.uint8)
        return foreground * np.uint8(VOID), False
    if variant == "full":
        return (raw > 0).astype(np.uint8), False
    if variant == "stretched":
        return np.rint(raw / encoding.stretch).astype(np.uint8), False
    if variant == "palette" and stats.palette:
        packed = [pack_colour(colour) for colour in stats.palette]
        return np.array(packed, np.int64)[raw], True
    return raw, coloured


def _nearest_positions(
    strange: Raw,
    values: Values,
    ids: NDArray[np.uint8],
    *,
    coloured: bool,
) -> NDArray[np.intp]:
    """(n,) where in `values` the nearest class of each strange value stands.

    Void is no class: an odd value shows a class that was damaged, not that nothing was labelled.
    """
    classes = np.flatnonzero(ids != VOID)
    nearest = np.empty(len(strange), np.intp)
    for start in range(0, len(strange), _BATCH):
        part = slice(start, start + _BATCH)
        distances = _distances(strange[part].astype(np.int64), values[classes], coloured)
        nearest[part] = classes[distances.argmin(1)]
    return nearest


def _distances(
    strange: Values,
    legal: Values,
    coloured: bool,
) -> NDArray[np.int64]:
    """(n, m) distances of numbers, or squared distances of packed colours."""
    rows = strange[:, None]
    columns = legal[None]
    if not coloured:
        return np.asarray(np.abs(rows - columns))
    total = np.zeros((len(strange), len(legal)), np.int64)
    for shift in (16, 8, 0):
        difference = (rows >> shift & 255) - (columns >> shift & 255)
        total += difference**2
    return total


def _describe(
    raw: Raw,
    wrong: NDArray[np.bool_],
    labels: Array,
    replacements: dict[int, int],
    *,
    coloured: bool,
    lossy: bool,
) -> Strays:
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    value = int(raw[row, column])
    nearest = replacements[value]
    distinct = len(replacements)
    return Strays(
        "mask-lossy" if lossy else _cause(wrong, labels, distinct, coloured=coloured),
        pixels=int(wrong.sum()),
        distinct=distinct,
        first=(int(row), int(column)),
        value=str(unpack(value)) if coloured else str(value),
        nearest=str(unpack(nearest)) if coloured else str(nearest),
    )


def _cause(
    wrong: NDArray[np.bool_],
    labels: Array,
    distinct: int,
    *,
    coloured: bool,
) -> str:
    """What made the strays: many values beside borders are from smooth resizing, many elsewhere
    from JPEG.
    """
    if distinct < MANY_STRAYS:
        return "colour-stray" if coloured else "value-outside-classes"
    beside_borders = (_borders(labels) & wrong).sum() / wrong.sum()
    return "mask-resampled" if float(beside_borders) >= _BLEND else "mask-lossy"


def _borders(labels: Array) -> NDArray[np.bool_]:
    """Pixels within three steps of another label."""
    edge = find_edges(labels)
    return np.asarray(binary_dilation(edge, iterations=_NEAR_BORDER - 1))
