import struct
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.errors import ImageError
from pixelwise.io.images import read_rgb
from pixelwise.io.open_images import find_orientation, open_header, silence_warnings


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
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(ImageError, match=r"folder\.jpg.*it is a folder"):
        read_rgb(tmp_path / "folder.jpg")


def test_a_page_a_video_and_an_address_are_called_what_they_are(tmp_path: Path) -> None:
    page = tmp_path / "page.jpg"
    page.write_text("<html>404</html>")
    with pytest.raises(ImageError, match=r"page\.jpg: is an HTML page; download the picture"):
        read_rgb(page)
    clip = tmp_path / "clip.jpg"
    clip.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(400))
    with pytest.raises(ImageError, match=r"clip\.jpg: is a video; extract frames, .*ffmpeg"):
        read_rgb(clip)
    with pytest.raises(ImageError, match=r"^https://example\.org/cat\.jpg: .*download it first$"):
        read_rgb(Path("https://example.org/cat.jpg"))


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


def test_a_damaged_exif_block_is_upright_and_makes_no_noise(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 2)).save(path, exif=exif)
    data = path.read_bytes()
    start = data.index(b"Exif\0\0")
    path.write_bytes(data[: start + 14] + b"\xff" * 12 + data[start + 26 :])
    with open_header(path) as image:
        assert find_orientation(image) == 1  # a warning would be an error here
