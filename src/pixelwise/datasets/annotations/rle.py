"""Run-length encoding: runs of outside and inside by turns, the first of outside (it may be 0).

COCO counts down the columns and packs the counts into text; CVAT counts along the rows of a box.
Source of the packing: Lin et al., Microsoft COCO, 2014, its published mask API: six bits a
character from code 48 on, the lowest five first, the sixth says that more follow, two's complement;
from the fourth count on the difference to the count two before.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError

Bits = NDArray[np.bool_]


def decode(counts: Sequence[int], size: tuple[int, int], *, by_column: bool = True) -> Bits:
    """The mask (H, W) of `counts`. Raises DataError for counts that are no such numbers or do not
    fill `size`.
    """
    height, width = size
    try:
        runs = np.array(counts, np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            "RLE counts that are no whole numbers; export the annotations again"
        ) from error
    if runs.ndim != 1 or (runs < 0).any() or int(runs.sum()) != height * width:
        what = "negative counts"
        if runs.ndim == 1 and (runs >= 0).all():
            what = f"counts that sum to {int(runs.sum())}"
        raise DataError(
            f"RLE does not fit: {what} where {height} x {width} = {height * width} pixels are"
        )
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(width, height).T if by_column else flat.reshape(size)


def encode(mask: Bits, *, by_column: bool = True) -> list[int]:
    """The counts of a mask (H, W), down the columns as COCO has them, or along the rows."""
    flat = np.asarray(mask, bool).ravel(order="F" if by_column else "C")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts: list[int] = np.diff(edges, prepend=0, append=flat.size).tolist()
    return [0, *counts] if flat.size and flat[0] else counts


def unpack_counts(text: str) -> list[int]:
    """The counts that COCO has packed into `text`. Raises DataError for characters that are none of
    it.
    """
    counts: list[int] = []
    value = 0
    shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise DataError(
                f"compressed RLE with {letter!r}, which cannot be there; export the "
                "annotations again"
            )
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits >> 4 & 1) << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = 0
            shift = 0
    if shift:
        raise DataError("compressed RLE that was cut off; export the annotations again")
    return counts


def pack_counts(counts: Sequence[int]) -> str:
    """`counts` as COCO's text."""
    letters: list[str] = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits = value & 31
            value = value >> 5
            more = value != (-1 if bits & 16 else 0)
            letters.append(chr(48 + bits + 32 * more))
    return "".join(letters)
