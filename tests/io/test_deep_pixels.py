import struct
import zlib

import numpy as np
import pytest

from pixelwise.io.deep_pixels import is_deep, read_deep_pixels
from pixelwise.io.open_images import open_header

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
# Adam7: first row, first column, steps down and across.
PASSES = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)


def encode(values: np.ndarray, rows: bytes, *, interlaced: bool) -> bytes:
    height, width, channels = values.shape
    header = struct.pack(
        ">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, int(interlaced)
    )
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    return data


def interlace(values: np.ndarray) -> bytes:
    parts = [values[top::down, left::across] for top, left, down, across in PASSES]
    return b"".join(
        b"\0" + row.astype(">u2").tobytes() for part in parts if part.size for row in part
    )


def filter_rows(values: np.ndarray) -> bytes:
    """Rows by each of the five filters of the standard in turn."""
    step = 2 * values.shape[2]
    rows = values.astype(">u2").view(np.uint8).reshape(len(values), -1).astype(int)
    above = np.zeros_like(rows[0])
    data = b""
    for number, row in enumerate(rows):
        left = np.concatenate([np.zeros(step, int), row[:-step]])
        corner = np.concatenate([np.zeros(step, int), above[:-step]])
        distances = [abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)]
        nearest = np.argmin(distances, axis=0)
        paeth = np.choose(nearest, [left, above, corner])
        guess = (0 * row, left, above, (left + above) // 2, paeth)[number % 5]
        data += bytes([number % 5]) + ((row - guess) % 256).astype(np.uint8).tobytes()
        above = row
    return data


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_sample_of_a_png_of_16_bits_comes_back(channels: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 65536, (13, 17, channels)).astype(np.uint16)
    for data in (
        encode(values, interlace(values), interlaced=True),
        encode(values, filter_rows(values), interlaced=False),
    ):
        with open_header(data) as image:
            assert is_deep(image, None)
            deep = read_deep_pixels(image, None, data, "a.png")
        assert np.array_equal(deep.values, values)
        assert (deep.colours, deep.alpha) == (3 if channels > 2 else 1, channels in (2, 4))
