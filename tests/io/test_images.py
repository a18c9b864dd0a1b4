import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import voc_colormap
from pixelwise.errors import ImageError
from pixelwise.io.images import read_rgb, silence_warnings, write_image, write_labels

RGB = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    turns = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, -1),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RGB),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(RGB).save(path, exif=exif)
    assert np.array_equal(read_rgb(path), turns[orientation])


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "RGBA", "CMYK"])
def test_other_modes_become_rgb_of_the_same_size(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "image.tif"
    Image.fromarray(RGB).convert(mode).save(path)
    rgb = read_rgb(path)
    assert rgb.shape == (5, 7, 3)
    assert rgb.dtype == np.uint8
    if mode in ("L", "LA", "1"):
        assert np.array_equal(rgb[..., 0], rgb[..., 2])
    if mode == "RGBA":
        assert np.array_equal(rgb, RGB)


def test_16_bit_grey_keeps_its_upper_8_bits(tmp_path: Path) -> None:
    grey = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    path = tmp_path / "grey16.png"
    Image.fromarray(grey).save(path)
    assert read_rgb(path)[..., 1].tolist() == [[0, 0, 1, 255]]


@pytest.mark.parametrize(("mode", "named"), [("I", "32-bit integers"), ("F", "floating point")])
def test_pictures_without_a_fixed_range_are_refused_by_name(
    tmp_path: Path, mode: str, named: str
) -> None:
    path = tmp_path / "wide.tif"
    Image.fromarray(RGB[..., 0]).convert(mode).save(path)
    with pytest.raises(ImageError, match=f"wide.tif.*{named}"):
        read_rgb(path)


def test_damaged_files_are_named(tmp_path: Path, photo: Path) -> None:
    truncated = tmp_path / "truncated.jpg"
    truncated.write_bytes(photo.read_bytes()[:-900])
    empty = tmp_path / "empty.png"
    empty.touch()
    text = tmp_path / "text.png"
    text.write_text("not an image")
    for path, reason in ((truncated, "truncated"), (empty, "empty"), (text, "unknown format")):
        with pytest.raises(ImageError, match=f"{path.name}.*{reason}"):
            read_rgb(path)
    with pytest.raises(ImageError, match="no such file"):
        read_rgb(tmp_path / "absent.png")


def test_200_megapixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 20000, 10000, 8, 2, 0, 0, 0)
    path = tmp_path / "huge.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(ImageError, match=r"huge\.png.*megapixels"):
        read_rgb(path)


def test_labels_are_read_back_as_indices_with_the_palette(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2], [20, 255, 3]], dtype=np.uint8)
    path = tmp_path / "deep/mask.png"
    write_labels(path, labels, voc_colormap(21))
    with Image.open(path) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), labels)
        assert image.convert("RGB").getpixel((1, 0)) == (128, 0, 0)


def test_a_picture_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    write_image(path, RGB)
    before = path.read_bytes()
    monkeypatch.setattr(
        Image.Image, "save", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        write_image(path, RGB[::-1])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_threads_that_keep_pil_quiet_at_once_leave_no_filter_and_lose_none() -> None:
    before = list(warnings.filters)
    one = silence_warnings()
    other = silence_warnings()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    with warnings.catch_warnings(record=True) as said:
        warnings.warn_explicit("odd metadata", UserWarning, "file", 1, module="PIL.Image")
    assert not said
    other.__exit__(None, None, None)
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="odd metadata"):
        warnings.warn_explicit("odd metadata", UserWarning, "file", 1, module="PIL.Image")
