import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Array = np.ndarray


def encode_png(
    values: Array, *chunks: tuple[bytes, bytes], colour_type: int | None = None
) -> bytes:
    """(H, W, C) uint16 as a PNG file of 16 bits; more chunks stand before the pixels."""
    height, width, channels = values.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels] if colour_type is None else colour_type
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *(chunk(*extra) for extra in chunks),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        )
    )


def encode_tiff(
    *pages: Array,
    order: str = "<",
    planar: bool = False,
    deflate: bool = False,
    tile: int = 0,
    tags: dict[int, tuple[int, ...]] | None = None,
) -> bytes:
    """(H, W, C) pages of whole numbers as a TIFF file: RGB from three bands on, in strips of two
    rows or square tiles; with `deflate` as differences (predictor 2). `tags` come on top, of all
    pages but the first those of 254 alone.
    """
    body = b""
    directories = []
    for number, page in enumerate(pages):
        height, width, bands = page.shape
        bits = page.dtype.itemsize * 8
        blocks = []
        for plane in np.split(page, bands, axis=2) if planar else [page]:
            for block in _blocks(plane, tile):
                stored = np.diff(block, axis=1, prepend=np.zeros_like(block[:, :1]))
                raw = (stored if deflate else block).astype(page.dtype.newbyteorder(order))
                blocks.append(zlib.compress(raw.tobytes()) if deflate else raw.tobytes())
        offsets = []
        for block in blocks:
            offsets.append(8 + len(body))
            body += block
        entries: dict[int, tuple[int, ...]] = {
            256: (width,),
            257: (height,),
            258: (bits,) * bands,
            259: (8 if deflate else 1,),
            262: (2 if bands >= 3 else 1,),
            277: (bands,),
            284: (2 if planar else 1,),
            317: (2 if deflate else 1,),
            (324 if tile else 273): tuple(offsets),
            (325 if tile else 279): tuple(map(len, blocks)),
            339: ({"u": 1, "i": 2, "f": 3}[page.dtype.kind],) * bands,
            **({322: (tile,), 323: (tile,)} if tile else {278: (2,)}),
        }
        extra = tags or {}
        entries |= extra if number == 0 else {k: v for k, v in extra.items() if k == 254}
        directories.append(entries)
    return _join(body, directories, order)


def _blocks(plane: Array, tile: int) -> list[Array]:
    height, width, bands = plane.shape
    if not tile:
        return [plane[top : top + 2] for top in range(0, height, 2)]
    blocks = []
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            part = plane[top : top + tile, left : left + tile]
            whole = np.zeros((tile, tile, bands), plane.dtype)
            whole[: part.shape[0], : part.shape[1]] = part
            blocks.append(whole)
    return blocks


def _join(body: bytes, directories: list[dict[int, tuple[int, ...]]], order: str) -> bytes:
    body += bytes(len(body) % 2)
    file = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(body)) + body
    for number, tags in enumerate(directories):
        start = len(file)
        end = start + 2 + 12 * len(tags) + 4
        entries = b""
        values = b""
        for tag, numbers in sorted(tags.items()):
            data = struct.pack(f"{order}{len(numbers)}I", *numbers)
            place = data if len(data) == 4 else struct.pack(f"{order}I", end + len(values))
            values += b"" if len(data) == 4 else data
            entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + place
        is_last = number == len(directories) - 1
        following = struct.pack(f"{order}I", 0 if is_last else end + len(values))
        file += struct.pack(f"{order}H", len(tags)) + entries + following + values
    return file


@pytest.fixture
def png16() -> Callable[..., bytes]:
    return encode_png


@pytest.fixture
def tiff() -> Callable[..., bytes]:
    return encode_tiff


@pytest.fixture
def deep_rgb() -> Any:
    """(40, 50, 3) uint16 of 12 bits."""
    return np.random.default_rng(1).integers(0, 4096, (40, 50, 3)).astype(np.uint16)
