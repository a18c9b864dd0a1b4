"""Label Studio's run lengths of brush masks: the bytes of an RGBA picture, row by row, packed into
bits.

A head of 32 bits has the number of bytes, 5 bits the size of a word less one, and 4 times 4 bits
sizes of counts less one. Then come blocks: a bit that says whether one word is repeated, two bits
that choose a size, a count of that size less one, and the word, or as many words as counted.
Source: rle-pack of thi.ng/umbrella, and label-studio-converter's description of it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError

Bits = NDArray[np.bool_]
_CHANNELS = 4
_WORD = 8
# Bits of a count, by their choice of two bits; the same as those of Label Studio's own files.
_SIZES = (3, 4, 8, 16)


class _BitReader:
    """Numbers of any count of bits, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def read(self, bits: int) -> int:
        """The next number. Raises DataError at the end of the data."""
        end = self.position + bits
        if end > 8 * len(self.data):
            raise DataError("brush mask that was cut off; export the annotations again")
        window = self.data[self.position >> 3 : (end + 7) >> 3]
        self.position = end
        return int.from_bytes(window) >> (-end & 7) & ((1 << bits) - 1)


def decode(data: Sequence[int], size: tuple[int, int]) -> Bits:
    """The pixels (H, W) that are painted at all: those with an alpha above 0, as in Label Studio's
    own export to COCO.

    Raises DataError for what is no such mask, or one of another size.
    """
    try:
        reader = _BitReader(bytes(data))
    except (TypeError, ValueError) as error:
        raise DataError("brush mask that is no list of bytes; export it again") from error
    height, width = size
    total = reader.read(32)
    if total != height * width * _CHANNELS:
        raise DataError(
            f"brush mask of {total} bytes, where {height} x {width} pixels (height x width) have "
            f"{height * width * _CHANNELS}; export the annotations again"
        )
    if reader.read(5) + 1 != _WORD:
        raise DataError("brush mask that is not of bytes; export the annotations again")
    pixels = _read_blocks(reader, total)
    return pixels.reshape(height, width, _CHANNELS)[:, :, -1] > 0


def _read_blocks(reader: _BitReader, total: int) -> NDArray[np.uint8]:
    sizes = [reader.read(4) + 1 for _ in range(4)]
    pixels = np.zeros(total, np.uint8)
    start = 0
    while start < total:
        repeated = reader.read(1)
        stop = start + 1 + reader.read(sizes[reader.read(2)])
        if stop > total:
            raise DataError("brush mask with more pixels than its image; export it again")
        if repeated:
            pixels[start:stop] = reader.read(_WORD)
        else:
            words = reader.read(_WORD * (stop - start)).to_bytes(stop - start)
            pixels[start:stop] = np.frombuffer(words, np.uint8)
        start = stop
    return pixels


def encode(mask: Bits) -> list[int]:
    """The bytes of a mask (H, W), painted where it is set."""
    flat = np.asarray(mask, bool).ravel()
    bounds = np.flatnonzero(np.diff(flat, prepend=~flat[:1], append=~flat[-1:]))
    parts = [f"{_CHANNELS * flat.size:032b}{_WORD - 1:05b}"]
    parts += [f"{size - 1:04b}" for size in _SIZES]
    most = 1 << _SIZES[-1]
    for start, length in zip(bounds, np.diff(bounds), strict=False):
        word = format(255 if flat[start] else 0, f"0{_WORD}b")
        left = _CHANNELS * int(length)
        while left:
            count = min(left, most)
            choice = next(i for i, size in enumerate(_SIZES) if count <= 1 << size)
            parts.append(f"1{choice:02b}{count - 1:0{_SIZES[choice]}b}{word}")
            left -= count
    bits = "".join(parts)
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2)
    return list(data.to_bytes(-(-len(bits) // 8)))
