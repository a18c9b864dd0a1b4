import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.io.tiff import count_pages, find_page, find_pages, read_samples, why_unreadable

Encode = Callable[..., bytes]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"planar": True},
        {"deflate": True},
        {"deflate": True, "planar": True},
        {"tile": 16},
        {"tile": 16, "deflate": True},
        {"tile": 16, "deflate": True, "planar": True},
    ],
    ids=str,
)
def test_samples_of_every_layout_come_back_exactly(
    tiff: Encode, layout: dict[str, object], bands: int, order: str
) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (21, 35, bands)).astype(np.uint16)
    data = tiff(values, order=order, **layout)
    page = find_page(io.BytesIO(data))
    assert page is not None
    assert (page.size, page.bands, page.bits) == ((21, 35), bands, 16)
    assert np.array_equal(read_samples(data, page), values)


def test_signed_numbers_keep_their_sign(tiff: Encode) -> None:
    values = np.array([[[-5, 300, 7]]], np.int16)
    data = tiff(values)
    page = find_page(io.BytesIO(data))
    assert page is not None
    assert read_samples(data, page).tolist() == values.tolist()


def test_overviews_and_thumbnails_are_no_pages(tiff: Encode) -> None:
    picture = np.zeros((40, 60, 1), np.uint8)
    half = np.zeros((20, 30, 1), np.uint8)
    assert count_pages(io.BytesIO(tiff(picture, picture, picture))) == 3
    assert count_pages(io.BytesIO(tiff(picture, half))) == 1, "half the size"
    letter = np.zeros((30, 60, 1), np.uint8)
    assert count_pages(io.BytesIO(tiff(picture, letter))) == 2
    reduced = tiff(picture, letter, tags={254: (1,)})
    assert [page.is_secondary for page in find_pages(io.BytesIO(reduced))] == [True, True]
    assert count_pages(io.BytesIO(reduced)) == 1, "flagged as reduced"


def test_what_cannot_be_a_picture_is_named(tiff: Encode) -> None:
    def reason(data: bytes) -> str:
        page = find_page(io.BytesIO(data))
        assert page is not None
        return why_unreadable(page)

    assert reason(tiff(np.zeros((2, 2, 6), np.uint16))) == "has 6 bands"
    assert reason(tiff(np.zeros((2, 2, 3), np.uint16))) == ""
    assert reason(tiff(np.zeros((2, 2, 3), np.float32))) == (
        "holds floating point numbers of 32 bits"
    )
    assert "colour space" in reason(tiff(np.zeros((2, 2, 3), np.uint16), tags={262: (8,)}))


@pytest.mark.parametrize("data", [b"", b"II*\0", b"MM\0*\0\0\0\xff", b"\xff\xd8\xff\xe0" * 9])
def test_other_and_damaged_files_have_no_pages(data: bytes) -> None:
    assert find_page(io.BytesIO(data)) is None
    assert count_pages(io.BytesIO(data)) == 1


def test_a_cut_directory_makes_no_noise(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(path)
    data = path.read_bytes()
    for length in range(8, len(data), 7):  # a warning would be an error here
        assert len(list(find_pages(io.BytesIO(data[:length])))) <= 1
