import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.inference import resize as module
from pixelwise.inference.resize import resize_labels, resize_pieces, resize_pixels
from pixelwise.inference.tiling import TilePlan, stream

SIDE = st.integers(1, 90)


@settings(max_examples=25, deadline=None)
@given(SIDE, SIDE, st.integers(1, 200), st.integers(1, 200), st.sampled_from([1, 700, 10**6]))
def test_pieces_of_tiles_become_the_whole_logits_interpolated(
    height: int, width: int, new_height: int, new_width: int, at_once: int
) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pieces = stream(lambda tile: tile.astype(np.float32), rgb, TilePlan(height, width, (32, 40), 0))
    found = np.full((3, new_height, new_width), np.nan, np.float32)
    rows = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_NUMBERS_AT_ONCE", at_once)
        for top, left, piece in resize_pieces(pieces, (height, width), (new_height, new_width)):
            assert (top, left, piece.shape[2]) == (rows, 0, new_width)
            rows += piece.shape[1]
            found[:, top:rows] = piece
    whole = torch.from_numpy(rgb.transpose(2, 0, 1)[None].astype(np.float32))
    expected = F.interpolate(whole, (new_height, new_width), mode="bilinear")[0]
    assert rows == new_height
    np.testing.assert_allclose(found, expected, atol=0.02)  # of 255


def test_a_picture_keeps_its_colours_and_its_halves_in_their_place() -> None:
    rgb = np.zeros((600, 800, 3), np.uint8)
    rgb[:, 400:] = (200, 100, 50)
    small = resize_pixels(rgb, (30, 40))
    assert small.shape == (30, 40, 3)
    assert (small[:, :18] == 0).all()
    assert (small[:, 22:] == (200, 100, 50)).all()


def test_labels_are_sampled_and_never_mixed() -> None:
    labels = np.array([[0, 2], [7, 255]], np.uint8)
    assert resize_labels(labels, (4, 2)).tolist() == [[0, 2], [0, 2], [7, 255], [7, 255]]
    assert resize_labels(labels, (2, 2)) is labels
