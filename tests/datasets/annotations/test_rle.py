"""Run-length encoding against pycocotools and counts by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from pixelwise.datasets.annotations import rle
from pixelwise.errors import DataError

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8))


def test_counts_by_hand() -> None:
    mask = np.array([[0, 1, 1], [0, 1, 0]], bool)
    assert rle.encode(mask) == [2, 3, 1]  # down the columns: 00 11 10
    assert rle.encode(mask, by_column=False) == [1, 2, 1, 1, 1]  # along the rows: 011 010
    assert rle.encode(~mask) == [0, 2, 3, 1]


@settings(max_examples=50, deadline=None)
@given(masks, st.booleans())
def test_every_mask_comes_back(mask: np.ndarray, by_column: bool) -> None:
    counts = rle.encode(mask, by_column=by_column)
    assert (rle.decode(counts, mask.shape, by_column=by_column) == mask).all()


@settings(max_examples=50, deadline=None)
@given(masks)
def test_packed_text_is_that_of_pycocotools(mask: np.ndarray) -> None:
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert rle.pack_counts(rle.encode(mask)) == theirs
    assert rle.unpack_counts(theirs) == rle.encode(mask)


def test_long_runs_are_packed_as_pycocotools_does() -> None:
    mask = np.zeros((700, 900), bool)
    mask[3:500, 7:800] = True
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert rle.pack_counts(rle.encode(mask)) == theirs


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([3, 4], "sum to 7 where 2 x 3 = 6"),
        ([-1, 7], "negative"),
        ([[1, 2], [3, 0]], "fit"),
        (["a"], "no whole"),
        ([10**30], "no whole"),
    ],
)
def test_counts_that_do_not_fit_are_refused(counts: list[int], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        rle.decode(counts, (2, 3))


@pytest.mark.parametrize("text", ["!", "é", "P", "o" * 30])
def test_text_that_is_no_packed_count_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="compressed RLE"):
        rle.unpack_counts(text)
