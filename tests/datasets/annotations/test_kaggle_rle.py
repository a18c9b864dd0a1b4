"""Kaggle's run lengths, encoded here as its competitions describe them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pixelwise.datasets.annotations.kaggle_rle import decode
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError

OPEN = DataOptions(hold_out=False)


def encode(mask: np.ndarray, order: str = "F") -> str:
    """As in the competitions' own examples: starts from 1, and lengths."""
    flat = np.concatenate([[0], mask.ravel(order=order), [0]])  # type: ignore[arg-type]
    changes = np.where(flat[1:] != flat[:-1])[0] + 1
    changes[1::2] -= changes[::2]
    return " ".join(map(str, changes))


def disc(y: int, x: int, size: tuple[int, int] = (20, 30)) -> np.ndarray:
    rows, columns = np.indices(size)
    return (np.hypot(rows - y, columns - x) < 5).astype(np.uint8)


def folder(root: Path, table: str, size: tuple[int, int] = (20, 30)) -> Path:
    (root / "train_images").mkdir()
    for name in ("a", "b"):
        Image.new("RGB", size[::-1]).save(root / f"train_images/{name}.jpg")
    (root / "train.csv").write_text(table)
    return root


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 1))
)
def test_runs_are_decoded_in_both_orders(mask: np.ndarray) -> None:
    if mask.any():
        for order, by_column in (("F", True), ("C", False)):
            bits = decode(encode(mask, order), mask.shape, by_column=by_column)
            np.testing.assert_array_equal(bits, mask > 0)


@pytest.mark.parametrize("order", ["F", "C"])
def test_rows_of_an_image_are_its_masks_in_the_order_that_keeps_them_whole(
    tmp_path: Path, order: str
) -> None:
    one, two = disc(6, 6), disc(12, 20)
    table = "ImageId,ClassId,EncodedPixels\n"
    table += f"a.jpg,1,{encode(one, order)}\na.jpg,3,{encode(two, order)}\nb.jpg,1,\n"
    data = open_dataset(folder(tmp_path, table), OPEN)
    assert (data.format, data.classes.names) == ("rle", ("background", "class 1", "class 3"))
    first, second = data.pairs("train")
    np.testing.assert_array_equal(data.read_labels(first.mask), one + 2 * two)
    assert not data.read_labels(second.mask).any()
    way = {"F": "down the columns", "C": "along the rows"}[order]
    assert any(f"{way}, as masks are whole so" in note for note in data.notes)


def test_one_column_may_hold_image_and_class_and_ids_lack_their_suffix(tmp_path: Path) -> None:
    table = f"Image_Label,EncodedPixels\na.jpg_Fish,{encode(disc(6, 6))}\nb.jpg_Fish,\n"
    data = open_dataset(folder(tmp_path, table), OPEN)
    assert data.classes.names == ("background", "Fish")
    (tmp_path / "train.csv").write_text(f"id,rle_mask\na,{encode(disc(6, 6))}\nb,\n")
    data = open_dataset(tmp_path, OPEN)
    assert data.classes.names == ("background", "foreground")
    assert data.read_labels(data.pairs("train")[0].mask).sum() == disc(6, 6).sum()


def test_square_images_do_not_show_the_order_and_that_is_said(tmp_path: Path) -> None:
    size = (20, 20)
    table = f"id,rle\na,{encode(disc(4, 9, size))}\nb,{encode(disc(9, 9, size))}\n"
    data = open_dataset(folder(tmp_path, table, size), OPEN)
    assert any("these masks alone do not show it" in note for note in data.notes)
    labels = data.read_labels(data.pairs("train")[0].mask)
    np.testing.assert_array_equal(labels, disc(4, 9, size))


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("a.jpg,1 2 3\nb.jpg,\n", r"line 2 \(a.jpg\): 3 numbers, where starts and lengths"),
        ("a.jpg,1 two\nb.jpg,\n", r"line 2 \(a.jpg\): '1 two' is no list of starts"),
        ("a.jpg,0 4\nb.jpg,\n", r"begins at pixel 0, where pixels count from 1"),
        ("a.jpg,1 1\nb.jpg\n", "line 3 has 1 columns"),
        ("a.jpg,1 1\nc.jpg,1 1\n", "1 of 2 images of train.csv are not here: c.jpg"),
    ],
)
def test_rows_that_cannot_be_read_are_named(tmp_path: Path, rows: str, complaint: str) -> None:
    folder(tmp_path, f"ImageId,EncodedPixels\n{rows}")
    with pytest.raises(DataError, match=complaint):
        open_dataset(tmp_path, OPEN)


def test_runs_outside_of_the_image_are_named(tmp_path: Path) -> None:
    folder(tmp_path, "ImageId,EncodedPixels\na.jpg,599 4\nb.jpg,\n")
    data = open_dataset(tmp_path, OPEN)
    with pytest.raises(DataError, match=r"a\.jpg: a run ends at pixel 602, where 20 x 30 pixels"):
        data.read_labels(data.pairs("train")[0].mask)
