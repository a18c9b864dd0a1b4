"""Raw values of masks: numbers that files hold, and what cannot be one mask's values."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from pixelwise.datasets.mask_numbers import NODATA
from pixelwise.datasets.raw_mask import read_raw
from pixelwise.errors import ImageError

LABELS = np.array([[0, 1, 2], [0, 0, 2]])


def write_tiff(path: Path, values: np.ndarray, nodata: str = "") -> Path:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if nodata:
        tags[42113] = nodata
    Image.fromarray(values).save(path, tiffinfo=tags)
    return path


def test_whole_floating_point_numbers_are_numbers(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", LABELS.astype(np.float32))
    assert read_raw(path).values.tolist() == LABELS.tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
@pytest.mark.parametrize("nodata", [-9999, -1, 250, 65535])
def test_the_files_own_no_data_value_is_no_value_of_a_mask(
    tmp_path: Path, dtype: type, nodata: int
) -> None:
    values = LABELS.astype(dtype)
    values[1, 0] = nodata
    path = write_tiff(tmp_path / "a.tif", values, str(nodata))
    assert read_raw(path).values.tolist() == [[0, 1, 2], [NODATA, 0, 2]]


def test_not_a_number_is_no_data_where_the_file_says_so_and_is_refused_elsewhere(
    tmp_path: Path,
) -> None:
    values = LABELS.astype(np.float32)
    values[1, 0] = np.nan
    path = write_tiff(tmp_path / "a.tif", values, "nan")
    assert read_raw(path).values.tolist() == [[0, 1, 2], [NODATA, 0, 2]]
    with pytest.raises(ImageError, match=r"holds nan in 1 pixels, the first at row 1, column 0"):
        read_raw(write_tiff(tmp_path / "b.tif", values))


def test_0_is_a_class_though_the_file_calls_it_no_data(tmp_path: Path) -> None:
    mask = read_raw(write_tiff(tmp_path / "a.tif", LABELS.astype(np.uint8), "0"))
    assert mask.values.tolist() == LABELS.tolist()
    assert mask.zero_is_nodata


def test_fractions_are_refused_with_the_first_of_them(tmp_path: Path) -> None:
    values = LABELS * np.float32(0.25)
    path = write_tiff(tmp_path / "a.tif", values)
    with pytest.raises(ImageError, match=r"not whole: 0\.25 in 3 pixels, the first at row 0, colu"):
        read_raw(path)


def test_several_pages_are_refused_and_smaller_copies_of_the_first_are_not(tmp_path: Path) -> None:
    pages = [Image.fromarray((label == LABELS).astype(np.uint8)) for label in (1, 2)]
    path = tmp_path / "a.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="holds 2 pages, and nothing says which of them"):
        read_raw(path)
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="holds 2 pages"):
        read_raw(tmp_path / "a.gif")
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    pages[1].encoderinfo = {"tiffinfo": tags}
    pages[0].save(path, save_all=True, append_images=[pages[1]])
    assert read_raw(path).values.tolist() == (LABELS == 1).astype(int).tolist()


def test_a_colour_that_is_seen_and_transparent_is_refused(tmp_path: Path) -> None:
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[..., 0] = np.where(LABELS == 2, 255, 9)
    rgba[..., 3] = np.where(LABELS > 0, 255, 0)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"colour \(9, 0, 0\) is seen in some pixels and transp"):
        read_raw(tmp_path / "a.png")
    rgba[LABELS == 0] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert read_raw(tmp_path / "a.png").values[0].tolist() == [0, 9 << 16, 255 << 16]


def test_a_webp_says_whether_it_changes_values(tmp_path: Path) -> None:
    image = Image.fromarray(np.dstack([LABELS * 50] * 3).astype(np.uint8))
    image.save(tmp_path / "a.webp", lossless=True)
    image.save(tmp_path / "b.webp", quality=90)
    image.save(tmp_path / "c.jpg")
    lossy = [read_raw(tmp_path / name).lossy for name in ("a.webp", "b.webp", "c.jpg")]
    assert lossy == [False, True, True]


def test_what_a_tiff_holds_is_said_where_it_is_not_read(tmp_path: Path) -> None:
    """One row of three 64-bit whole numbers, uncompressed, as tags and data by hand."""
    entries = [
        (256, 3, 3),
        (257, 3, 1),
        (258, 3, 64),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 3, 1),
        (279, 4, 24),
        (339, 3, 2),
    ]
    data = np.array([0, 1, 2], "<i8").tobytes()
    tags = b"".join(
        np.array([tag, kind], "<u2").tobytes() + np.array([1, value], "<u4").tobytes()
        for tag, kind, value in entries
    )
    directory = np.array([len(entries)], "<u2").tobytes() + tags + bytes(4)
    header = b"II*\0" + np.array([8 + len(data)], "<u4").tobytes()
    (tmp_path / "a.tif").write_bytes(header + data + directory)
    with pytest.raises(ImageError, match="holds 64-bit whole numbers, which are not read; save"):
        read_raw(tmp_path / "a.tif")


def write_png16(path: Path, values: np.ndarray) -> Path:
    """RGB of 16 bits a channel, (H, W, 3), which Pillow does not write."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    size = struct.pack(">II", values.shape[1], values.shape[0])
    chunks = [(b"IHDR", size + bytes([16, 2, 0, 0, 0])), (b"IDAT", zlib.compress(rows))]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in [*chunks, (b"IEND", b"")]:
        check = struct.pack(">I", zlib.crc32(kind + content))
        data += struct.pack(">I", len(content)) + kind + content + check
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("factor", [1, 257])
def test_colours_of_8_bits_in_16_are_those_of_8(tmp_path: Path, factor: int) -> None:
    rgb = np.dstack([LABELS * 7, LABELS * 0, LABELS * 100])
    mask = read_raw(write_png16(tmp_path / "a.png", rgb * factor))
    assert mask.values.tolist() == ((rgb[..., 0] << 16) + rgb[..., 2]).tolist()


def test_colours_of_16_bits_are_refused(tmp_path: Path) -> None:
    path = write_png16(tmp_path / "a.png", np.dstack([LABELS * 300] * 3))
    with pytest.raises(ImageError, match="holds colours of 16 bits that are none of 8 bits; save"):
        read_raw(path)
