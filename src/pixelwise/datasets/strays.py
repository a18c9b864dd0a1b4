"""Masks that do not agree with the encoding of their data set: pixels whose value has no meaning,
and masks that are written in another way; how they are read all the same.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from pixelwise.classes import VOID, find_edges
from pixelwise.datasets.mask_encoding import MaskEncoding, is_lossy
from pixelwise.datasets.mask_reader import Raw, Values, pack_colour, read_matte, read_raw, unpack
from pixelwise.datasets.pair_stats import MaskSource, MaskStats
from pixelwise.datasets.types import Pair
from pixelwise.io.images import Array

Variant = Literal["", "one", "full", "palette"]
"""How one mask is written where it departs from the others: `one` is 0 and 1 among masks of 0 and
255, `full` 0 and 255 among masks of 0 and 1, `palette` values whose palette holds the colours of
the others."""

MANY_STRAYS = 6
"""Different strays in a mask from which on it was compressed or resized, not drawn wrongly."""

_NEAR_BORDER = 3
# Share of strays beside borders: halved and back .72 and more, JPEG .61 and less (camvid, voc,
# portraits).
_BLEND = 0.65
# Strange values whose distances to all classes are held at once: bounds the memory.
_BATCH = 4096


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
    values = set(stats.values.tolist())
    if stats.coloured or encoding.form in ("matte", "drawn"):
        return ""
    if encoding.form == "binary":
        return "one" if 1 in values and values <= {0, 1} else ""
    two = len(encoding.classes) == 2 and not encoding.colours
    if two and VOID in values and values <= {0, VOID} and _is_half_void(stats):
        return "full"
    by_colour = encoding.form == "colours"
    if by_colour and stats.palette and all(value < len(stats.palette) for value in values):
        legal = {raw for raw, _ in encoding.colours}
        packed = {pack_colour(stats.palette[value]) for value in values}
        return "palette" if packed <= legal else ""
    return ""


def read_nearest(
    pair: Pair, stats: MaskStats, encoding: MaskEncoding, source: MaskSource
) -> tuple[Array, Strays | None]:
    """Labels (H, W) uint8, and what was strange in them.

    Strays take the nearest legal colour or value, or are void where they are few and were numbers:
    such a value says nothing of its neighbours.
    """
    if source.draw:
        return source.draw(pair.mask), None
    mask = read_matte(pair.mask) if source.matte else read_raw(pair.mask)
    raw, coloured = mask.read_as(alpha=encoding.alpha, grey_as_numbers=encoding.grey_as_numbers)
    raw, coloured = _as_the_others(raw, coloured, stats, encoding)
    values, ids = encoding.table(coloured)
    if not len(values):
        values, ids = encoding.table(False)
        coloured = False
    place = np.minimum(np.searchsorted(values, raw), len(values) - 1)
    wrong = values[place] != raw  # (H, W)
    if not wrong.any():
        return ids[place], None
    nearest, labels = _nearest(raw, wrong, place, values, ids, coloured)
    strays = _strays(raw, wrong, labels, nearest, coloured=coloured, lossy=is_lossy(stats))
    if strays.type == "value-outside-classes":
        labels[wrong] = VOID
    return labels, strays


def _as_the_others(
    raw: Raw, coloured: bool, stats: MaskStats, encoding: MaskEncoding
) -> tuple[Raw, bool]:
    variant = find_variant(stats, encoding)
    if variant == "one":
        return (raw > 0).astype(np.uint8) * np.uint8(VOID), False
    if variant == "full":
        return (raw > 0).astype(np.uint8), False
    if variant == "palette" and stats.palette:
        table = np.array([pack_colour(colour) for colour in stats.palette], np.int64)
        return table[raw], True
    return raw, coloured


def _nearest(
    raw: Raw,
    wrong: NDArray[np.bool_],
    place: NDArray[np.intp],
    values: Values,
    ids: NDArray[np.uint8],
    coloured: bool,
) -> tuple[dict[int, int], Array]:
    """The nearest legal value of each strange one, and labels with it in their place.

    A stray beside none of its own takes a legal value; void only where void has a value of its own
    besides 255.
    """
    strange, inverse = np.unique(raw[wrong], return_inverse=True)
    legal = np.flatnonzero(ids != VOID)
    near = np.empty(len(strange), np.intp)
    for start in range(0, len(strange), _BATCH):
        part = strange[start : start + _BATCH].astype(np.int64)
        near[start : start + _BATCH] = legal[_distances(part, values[legal], coloured).argmin(1)]
    place = place.copy()
    place[wrong] = near[inverse]
    return {int(raw): int(values[at]) for raw, at in zip(strange, near, strict=True)}, ids[place]


def _distances(strange: Values, legal: Values, coloured: bool) -> NDArray[np.int64]:
    """(n, m) squared distances of numbers or packed colours."""
    if not coloured:
        return np.asarray(np.abs(strange[:, None] - legal[None]))
    total = np.zeros((len(strange), len(legal)), np.int64)
    for shift in (16, 8, 0):
        total += ((strange >> shift & 255)[:, None] - (legal >> shift & 255)[None]) ** 2
    return total


def _strays(
    raw: Raw,
    wrong: NDArray[np.bool_],
    labels: Array,
    nearest: dict[int, int],
    *,
    coloured: bool,
    lossy: bool,
) -> Strays:
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    value = int(raw[row, column])

    def name(number: int) -> str:
        return str(unpack(number)) if coloured else str(number)

    type = "mask-lossy" if lossy else _cause(wrong, labels, len(nearest), coloured=coloured)
    return Strays(
        type,
        int(wrong.sum()),
        len(nearest),
        (int(row), int(column)),
        name(value),
        name(nearest[value]),
    )


def _cause(wrong: NDArray[np.bool_], labels: Array, distinct: int, *, coloured: bool) -> str:
    """What made the strays: many values beside borders are from smooth resizing, many elsewhere
    from JPEG.
    """
    beside = float((_borders(labels) & wrong).sum() / wrong.sum())
    if distinct >= MANY_STRAYS:
        return "mask-resampled" if beside >= _BLEND else "mask-lossy"
    return "colour-stray" if coloured else "value-outside-classes"


def _borders(labels: Array) -> NDArray[np.bool_]:
    """Pixels within three steps of another label."""
    edge = find_edges(labels)
    return np.asarray(binary_dilation(edge, iterations=_NEAR_BORDER - 1))


def _is_half_void(stats: MaskStats) -> bool:
    counts = dict(zip(stats.values.tolist(), stats.counts.tolist(), strict=True))
    return bool(0 < counts.get(VOID, 0) <= 0.999 * sum(counts.values()))
