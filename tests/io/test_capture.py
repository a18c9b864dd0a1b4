from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pixelwise.io.capture import read_bounds, read_capture


def write_photo(path: Path, time: str, serial: str = "") -> Path:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0110] = "Model 1"
    own = exif.get_ifd(0x8769)
    own[0x9003] = time
    if serial:
        own[0xA431] = serial
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


def test_a_photo_says_its_camera_and_time(tmp_path: Path) -> None:
    first = read_capture(write_photo(tmp_path / "a.jpg", "2024:05:06 07:08:09", "S12"))
    second = read_capture(write_photo(tmp_path / "b.jpg", "2024:05:06 07:09:10"))
    assert first is not None
    assert second is not None
    assert (first.camera, second.camera) == ("Maker Model 1 S12", "Maker Model 1")
    assert second.seconds - first.seconds == 61


@pytest.mark.parametrize("time", ["", "0000:00:00 00:00:00", "yesterday"])
def test_a_photo_without_a_time_says_nothing(tmp_path: Path, time: str) -> None:
    assert read_capture(write_photo(tmp_path / "a.jpg", time)) is None
    assert read_capture(tmp_path / "missing.jpg") is None


def test_a_raster_lies_where_its_tags_or_its_world_file_say(tmp_path: Path) -> None:
    tags = ImageFileDirectory_v2()
    tags[33550] = (2.0, 2.0, 0.0)
    tags[33922] = (0.0, 0.0, 0.0, 100.0, 200.0, 0.0)
    tags.tagtype[33550] = tags.tagtype[33922] = 12
    Image.new("RGB", (30, 10)).save(tmp_path / "a.tif", tiffinfo=tags)
    assert read_bounds(tmp_path / "a.tif") == (100, 180, 160, 200)
    Image.new("RGB", (30, 10)).save(tmp_path / "b.png")
    assert read_bounds(tmp_path / "b.png") is None
    (tmp_path / "b.pgw").write_text("2\n0\n0\n-2\n101\n199\n")
    assert read_bounds(tmp_path / "b.png") == (100, 180, 160, 200)
    (tmp_path / "b.pgw").write_text("2\n0.5\n0\n-2\n101\n199\n")
    assert read_bounds(tmp_path / "b.png") is None
