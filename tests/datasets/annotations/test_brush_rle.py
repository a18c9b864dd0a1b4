"""Brush masks, packed here by their description, bit by bit as texts of 0 and 1."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pixelwise.datasets.annotations.brush_rle import decode, encode
from pixelwise.errors import DataError

SIZES = (3, 4, 8, 16)


def pack(pixels: np.ndarray, *, literal: bool = False, sizes: tuple[int, ...] = SIZES) -> list[int]:
    """Bytes (n,) as Label Studio packs them: runs, or all as they are."""
    head = f"{len(pixels):032b}" + f"{7:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    blocks = [head]
    if literal:
        blocks += [f"011{len(pixels) - 1:016b}", *(f"{value:08b}" for value in pixels.tolist())]
    for value, run in () if literal else groupby(pixels.tolist()):
        remaining = len(list(run))
        while remaining:
            part = min(remaining, 2 ** max(sizes))
            index = next(at for at, size in enumerate(sizes) if part <= 2**size)
            blocks.append(f"1{index:02b}{part - 1:0{sizes[index]}b}{value:08b}")
            remaining -= part
    bits = "".join(blocks)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def rgba(mask: np.ndarray, alpha: int = 255) -> np.ndarray:
    """A mask (H, W) as the bytes of a picture painted red."""
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[mask] = (200, 0, 0, alpha)
    return pixels.ravel()


@given(
    mask=arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 40))),
    alpha=st.integers(1, 255),
    literal=st.booleans(),
    sizes=st.sampled_from([SIZES, (1, 2, 3, 9), (16, 16, 16, 16)]),
)
def test_what_is_packed_is_decoded(
    mask: np.ndarray, alpha: int, literal: bool, sizes: tuple[int, ...]
) -> None:
    literal &= sizes[-1] == 16
    packed = pack(rgba(mask, alpha), literal=literal, sizes=sizes)
    assert np.array_equal(decode(packed, mask.shape), mask)


def test_runs_longer_than_a_block() -> None:
    mask = np.zeros((300, 300), bool)
    mask[200:] = True
    pixels = np.repeat(mask.ravel(), 4).astype(np.uint8) * 255  # all channels, as masks imported
    assert np.array_equal(decode(pack(pixels), mask.shape), mask)


def test_known_bytes() -> None:
    # 4 bytes, words of 8 bits, sizes 3 4 8 16; one word for four times: 1 00 011 11111111
    bits = "0" * 29 + "100" + "00111" + "0010" + "0011" + "0111" + "1111" + "100011" + "1" * 8
    data = [int(bits.ljust(72, "0")[at : at + 8], 2) for at in range(0, 72, 8)]
    assert data[4] == 57  # as every brush mask of Label Studio has it
    assert decode(data, (1, 1)).tolist() == [[True]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([0, 1, 2, 3], "brush mask of 66051 bytes, where 1 x 1 pixels"),
        ([], "cut off"),
        ([0, 0, 0, 4, 57, 27], "cut off"),
        ([0, 0, 0, 4, 0, 0, 0, 0], "not of bytes"),
        ([256], "no list of bytes"),
        (["a"], "no list of bytes"),
        (None, "no list of bytes"),
    ],
)
def test_what_is_no_brush_mask_is_refused(data: list, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        decode(data, (1, 1))


def test_a_run_that_is_too_long_is_refused() -> None:
    packed = pack(np.full(8, 255, np.uint8))
    packed[3] = 4  # claims four bytes
    with pytest.raises(DataError, match="more pixels than its image"):
        decode(packed, (1, 1))


@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 40))))
def test_what_is_encoded_is_packed_as_label_studio_packs_it(mask: np.ndarray) -> None:
    assert encode(mask) == pack(np.repeat(mask.ravel() * np.uint8(255), 4))


def test_a_run_longer_than_a_count_is_cut() -> None:
    mask = np.zeros((200, 300), bool)
    mask[:, 150:] = True
    for whole in (mask, np.ones_like(mask), np.zeros_like(mask)):
        np.testing.assert_array_equal(decode(encode(whole), whole.shape), whole)
