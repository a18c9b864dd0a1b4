from pathlib import Path

import pytest

from pixelwise.io import image_formats
from pixelwise.io.image_formats import (
    describe_contents,
    describe_left_aside,
    list_images,
    list_left_aside,
)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_pictures_of_all_usual_endings_are_listed_whatever_their_case(tmp_path: Path) -> None:
    names = ("a.JPG", "b.jfif", "c.jpe", "d.Tiff", "e.webp", "f 100%#1 \N{CAT}.png", "g.avif")
    touch(tmp_path, *names, "._a.JPG", ".hidden.png", "Thumbs.db", "notes.txt", "clip.mp4")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    listed = [path.name for path in list_images(tmp_path)]
    assert listed == sorted([*names, "loop.png"]), "what leads nowhere is named when it is read"


def test_what_is_left_aside_is_counted_by_ending(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.mp4", "c.MP4", "d.txt", "noending", ".hidden", "desktop.ini")
    touch(tmp_path, "a.tfw", "a.png.aux.xml", "shard.tar")
    (tmp_path / "folder").mkdir()
    left = [path.name for path in list_left_aside(tmp_path, used=(".tar",))]
    assert left == ["b.mp4", "c.MP4", "d.txt", "noending"]
    assert describe_left_aside(left) == ("4 files left aside: .mp4 2, .txt 1, without ending 1")
    assert describe_left_aside(["x.txt"]) == "1 file left aside: .txt 1"
    assert describe_left_aside([]) == ""
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff\xe0")
    assert describe_left_aside([tmp_path / "photo"]) == (
        "1 file left aside: without ending 1; pictures without their ending: photo"
    )


def test_heic_without_its_package_is_named_with_the_way_to_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_formats, "is_installed", lambda name: False)
    kind, advice = describe_contents(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert kind == "a HEIC picture"
    assert advice == "pip install 'pixelwise[heif]' to read it, or convert it to JPEG"
    assert describe_left_aside(["a.HEIC", "b.heic"]) == (
        "2 files left aside: .heic 2; for HEIC: pip install 'pixelwise[heif]'"
    )


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\n<!DOCTYPE html><html>404", "an HTML page"),
        (b"<html>404</html>", "an HTML page"),
        (b'<?xml version="1.0"?><svg/>', "an SVG drawing"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a video"),
        (b"\0\0\0\x14ftypqt  ", "a video"),
        (b"\x1aE\xdf\xa3\1", "a video"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
        (b"%PDF-1.7", "a PDF document"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
        (b"not an image", ""),
        (b"\xff\xd8\xff\xe0", ""),
        (b"", ""),
    ],
)
def test_files_that_are_no_pictures_are_known_by_their_first_bytes(head: bytes, kind: str) -> None:
    assert describe_contents(head)[0] == kind
