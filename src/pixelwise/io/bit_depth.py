"""Whole numbers of more than 8 bits to 8 bits, by the range that is used of their container.

A camera of 12 bits writes files of 16: the upper 8 of these would be nearly black. The standard
depth that holds a file's values is taken, not their very extremes, so that exposures of one camera
stay comparable.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.io.reading_notes import ReadingNote, ReadingNotes

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that sensors and files have."""

CONTAINER = 2**16 - 1
"""The greatest value that is brought to 8 bits."""

# Values that span fewer of 256 levels than this, though they are many, are stretched.
_MIN_LEVELS = 16
_MANY_VALUES = 64
# Of a set's files, the share that its depth must hold.
_NEARLY_ALL = 0.95


@dataclass(frozen=True)
class ValueRange:
    """Values from `low` to `high` become 0 to 255; `stretched` where that is all they span.

    `inverted` is for files in which 0 is white; a `gamma` unlike 1 is the exponent that brings
    values, as shares of the range, to sRGB.
    """

    low: int
    high: int
    stretched: bool = False
    inverted: bool = False
    gamma: float = 1.0

    @property
    def bits(self) -> int:
        """The bits of `high`."""
        return self.high.bit_length()

    def to_8_bits(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Values of any shape as uint8; those outside of the range are cut."""
        plain = not (self.low or self.inverted or self.stretched) and self.gamma == 1
        if plain and self.high & (self.high + 1) == 0:
            return (values >> max(0, self.bits - 8)).astype(np.uint8)
        positions = np.clip(values, self.low, self.high).astype(np.int64) - self.low
        pixels: NDArray[np.uint8] = _table(self)[positions]
        return pixels


def find_range(
    low: int, high: int, *, declared: int | None = None, common_bits: int = 0
) -> ValueRange:
    """The range of values that span `low` to `high`, in [0, CONTAINER].

    declared: the greatest value by the file's own word, which is trusted where it is less than the
    container's. common_bits: the depth of the set that the file belongs to, as `find_common_bits`
    has it, 0 for none; a file that needs more is read by its own.
    """
    if declared is not None and high <= declared < CONTAINER:
        return ValueRange(0, declared)
    bits = next(bits for bits in DEPTHS if high < 2**bits)
    if bits < common_bits:
        return ValueRange(0, 2**common_bits - 1)
    levels = (high >> bits - 8) - (low >> bits - 8) + 1
    if levels < _MIN_LEVELS and high - low >= _MANY_VALUES:
        return ValueRange(low, high, stretched=True)
    return ValueRange(0, 2**bits - 1)


def describe_range(values: ValueRange, stored_bits: int, highest: int) -> ReadingNote:
    """What is said of values of so many bits in a file, the greatest of them `highest`, that are
    read by a range; nothing where that is their container's.
    """
    if values.stretched:
        what = f"of {stored_bits} bits that use little of their range"
        done = "stretched from their least to their greatest value"
        return ReadingNote("image-deep", what, done, highest)
    bits = values.bits
    if bits >= 16:
        return ReadingNote("image-deep", highest=highest, bits=bits)
    what = f"of {stored_bits} bits with values to {{highest}}"
    done = "read as 8 bits" if bits == 8 else f"scaled from {bits} bits"
    return ReadingNote("image-deep", what, done, highest, bits)


def find_common_bits(pictures: Iterable[ReadingNotes]) -> int:
    """The depth that holds the values of nearly all pictures of a set, by their notes; 0 where none
    has more than 8 bits in its file, or all are stretched.

    One exposure of a camera of 12 bits may stay below 1024 and another not: both are read alike. A
    few files that need more, of another source or damaged, do not make all others dark.
    """
    depths = sorted(note.bits for notes in pictures for note in notes if note.bits)
    return depths[math.ceil(_NEARLY_ALL * len(depths)) - 1] if depths else 0


def with_common_bits(notes: ReadingNotes, common_bits: int) -> ReadingNotes:
    """The notes of a picture as they are where it is read with that depth."""
    return tuple(_with_bits(note, common_bits) for note in notes)


def _with_bits(note: ReadingNote, common_bits: int) -> ReadingNote:
    is_deeper = note.bits >= common_bits or note.highest >= 2**common_bits
    if note.type != "image-deep" or is_deeper:
        return note
    return describe_range(ValueRange(0, 2**common_bits - 1), 16, note.highest)


@lru_cache(maxsize=8)
def _table(range: ValueRange) -> NDArray[np.uint8]:
    """The 8 bits of each value from `low` on."""
    shares = np.linspace(0, 1, range.high - range.low + 1) ** range.gamma
    if range.inverted:
        shares = np.linspace(1, 0, range.high - range.low + 1) ** range.gamma
    return np.rint(shares * 255).astype(np.uint8)
