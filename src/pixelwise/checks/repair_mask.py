"""A mask as labels, repaired where it must be: the second, closer reading of masks that hold odd
values.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.checks.inspect_pairs import MaskLook, Raw, raw_mask
from pixelwise.checks.inventory import Couple
from pixelwise.classes import VOID, find_edges
from pixelwise.datasets.annotations.mask_per_class import merge_class_masks
from pixelwise.datasets.mask_encoding import Encoding, is_lossy
from pixelwise.datasets.mask_reader import Values, unpack
from pixelwise.io.images import Array

_NEAR_BORDER = 3
# share of strays beside borders: halved and back .72 and more, JPEG .61 and less (camvid, voc,
# portraits)
_BLEND = 0.65
# different strays in a mask from which on it was compressed or resized, not drawn wrongly
_MANY = 6


@dataclass(frozen=True, slots=True)
class Strays:
    """Pixels whose value has no meaning: how many, of how many values, the first of them and the
    nearest legal value.

    `kind` says how they came to be, as a key of KINDS.
    """

    kind: str
    pixels: int
    distinct: int
    first: tuple[int, int]
    value: str
    nearest: str


def variant(look: MaskLook, encoding: Encoding) -> str:
    """How one mask is written where it departs from the others: `one`, `full`, `palette`, or empty
    for as the others.

    `one` is 0 and 1 among masks of 0 and 255, `full` 0 and 255 among masks of 0 and 1, `palette`
    values whose palette holds the colours of the others.
    """
    held = set(look.values.tolist())
    if look.coloured or encoding.kind.startswith("alpha"):
        return ""
    if encoding.binary:
        return "one" if 1 in held and held <= {0, 1} else ""
    if (
        len(encoding.classes) == 2
        and not encoding.colours
        and 255 in held
        and held <= {0, 255}
        and _half(look)
    ):
        return "full"
    by_colour = encoding.kind == "RGB colours"
    if by_colour and look.palette and all(value < len(look.palette) for value in held):
        legal = {raw for raw, _ in encoding.colours}
        packed = {_packed(look.palette[value]) for value in held}
        return "palette" if packed <= legal else ""
    return ""


def read_mask(
    couple: Couple, look: MaskLook, encoding: Encoding
) -> tuple[Array, Strays | None, int]:
    """Labels (H, W) uint8, what was strange in them, and the pixels that two layers claim.

    Strays take the nearest legal colour or value, or are void where they are few and were numbers:
    such a value says nothing of its neighbours.
    """
    if couple.layers:
        labels, overlaps = merge_class_masks(couple.layers, encoding.classes.names)
        return labels, None, overlaps
    if couple.read:
        return couple.read(couple.mask), None, 0
    _, raw, coloured, _ = raw_mask(couple.mask, matte=encoding.kind.startswith("alpha"))
    raw, coloured = _as_the_others(raw, coloured, look, encoding)
    values, ids = encoding.table(coloured)
    if not len(values):
        values, ids = encoding.table(False)
        coloured = False
    place = np.minimum(np.searchsorted(values, raw), len(values) - 1)
    wrong = values[place] != raw  # (H, W)
    if not wrong.any():
        return ids[place], None, 0
    nearest, labels = _nearest(raw, wrong, place, values, ids, coloured)
    strays = _strays(raw, wrong, labels, nearest, coloured=coloured, lossy=is_lossy(look))
    if strays.kind == "value-outside-classes":
        labels[wrong] = VOID
    return labels, strays, 0


def _as_the_others(
    raw: Raw, coloured: bool, look: MaskLook, encoding: Encoding
) -> tuple[Raw, bool]:
    how = variant(look, encoding)
    if how == "one":
        return (raw > 0).astype(np.uint8) * np.uint8(VOID), False
    if how == "full":
        return (raw > 0).astype(np.uint8), False
    if how == "palette" and look.palette:
        table = np.array([_packed(colour) for colour in look.palette], np.int64)
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
    for start in range(0, len(strange), 4096):
        part = strange[start : start + 4096].astype(np.int64)
        near[start : start + 4096] = legal[_distances(part, values[legal], coloured).argmin(1)]
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

    def said(number: int) -> str:
        return str(unpack(number)) if coloured else str(number)

    kind = "mask-lossy" if lossy else _cause(wrong, labels, len(nearest), coloured=coloured)
    return Strays(
        kind,
        int(wrong.sum()),
        len(nearest),
        (int(row), int(column)),
        said(value),
        said(nearest[value]),
    )


def _cause(wrong: NDArray[np.bool_], labels: Array, distinct: int, *, coloured: bool) -> str:
    """What made the strays: many values beside borders are from smooth resizing, many elsewhere
    from JPEG.
    """
    beside = float((_borders(labels) & wrong).sum() / wrong.sum())
    if distinct >= _MANY:
        return "mask-resampled" if beside >= _BLEND else "mask-lossy"
    return "colour-stray" if coloured else "value-outside-classes"


def _borders(labels: Array) -> NDArray[np.bool_]:
    """Pixels within three steps of another label."""
    near = find_edges(labels)
    for _ in range(_NEAR_BORDER - 1):
        wide = near.copy()
        wide[1:] |= near[:-1]
        wide[:-1] |= near[1:]
        wide[:, 1:] |= near[:, :-1]
        wide[:, :-1] |= near[:, 1:]
        near = wide
    return near


def _half(look: MaskLook) -> bool:
    counts = dict(zip(look.values.tolist(), look.counts.tolist(), strict=True))
    return bool(0 < counts.get(VOID, 0) <= 0.999 * sum(counts.values()))


def _packed(colour: tuple[int, int, int]) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]
