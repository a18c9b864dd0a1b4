import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from pixelwise.errors import ImageError
from pixelwise.io.channels import ReadingRule
from pixelwise.io.frames import file_of, frames_note, name_frames, note_of_pages, parse_frame
from pixelwise.io.images import ImageFile, read_picture

GREYS = (40, 120, 200)


def write_frames(path: Path, *, sizes: tuple[tuple[int, int], ...] = ((6, 8),) * 3) -> Path:
    """Frames of GREYS, without loss; sizes: (height, width)."""
    frames = [
        Image.new("RGB", (width, height), (grey, grey, grey))
        for grey, (height, width) in zip(GREYS, sizes, strict=True)
    ]
    options = {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


def read_frame(name: str) -> np.ndarray:
    frame = parse_frame(name)
    assert frame
    with ImageFile(frame.path, frame=frame.number) as file:
        picture = file.read()
    assert not [note for note in picture.notes if note.type == "image-frames"]
    return picture.rgb


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png"])
def test_each_frame_is_read_by_its_name(tmp_path: Path, suffix: str) -> None:
    path = write_frames(tmp_path / f"scan{suffix}")
    names = name_frames(path)
    assert names == [f"{path}#frame={number}" for number in (1, 2, 3)]
    for name, grey in zip(names, GREYS, strict=True):
        assert (read_frame(name) == grey).all()
        assert file_of(name) == path


def test_pages_have_sizes_of_their_own(tmp_path: Path) -> None:
    sizes = ((6, 8), (9, 5), (7, 7))
    path = write_frames(tmp_path / "scan.tif", sizes=sizes)
    assert [read_frame(name).shape[:2] for name in name_frames(path)] == list(sizes)


def test_a_page_that_is_cut_off_is_named_and_fails_alone(tmp_path: Path) -> None:
    path = write_frames(tmp_path / "scan.tif")
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    names = name_frames(path)
    assert len(names) == 3
    assert (read_frame(names[1]) == GREYS[1]).all()
    with pytest.raises(ImageError, match="truncated"):
        read_frame(names[2])


def test_a_page_whose_directory_is_cut_off_counts_and_fails(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((64, 64), grey, np.uint8)) for grey in GREYS]
    path = tmp_path / "scan.tif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    path.write_bytes(path.read_bytes()[: 2 * 64 * 64])
    names = name_frames(path)
    assert len(names) == 3
    assert (read_frame(names[0]) == GREYS[0]).all()
    with pytest.raises(ImageError, match="breaks off before it or in its directory"):
        read_frame(names[2])


def test_pages_of_16_bits_in_three_bands_are_read(
    tmp_path: Path, tiff: Callable[..., bytes]
) -> None:
    path = tmp_path / "deep.tif"
    path.write_bytes(tiff(*(np.full((5, 6, 3), value, np.uint16) for value in (65535, 30 * 257))))
    names = name_frames(path)
    assert len(names) == 2
    assert (read_frame(names[0]) == 255).all()
    with ImageFile(path, frame=1) as file:
        assert (file.read(ReadingRule(16)).rgb == 30).all()


def test_overviews_are_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    large = Image.new("RGB", (40, 40))
    large.save(path, save_all=True, append_images=[large.resize((20, 20))])
    assert name_frames(path) == [str(path)]
    assert note_of_pages(path) is None


def test_a_file_of_one_picture_and_one_that_is_none_keep_their_names(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    for name in ("a.png", "b.png", "missing.png"):
        assert name_frames(tmp_path / name) == [str(tmp_path / name)]
    assert parse_frame("a#frame=0") is None
    assert parse_frame("a.tif") is None


def test_the_first_is_read_with_the_count_by_default(tmp_path: Path) -> None:
    path = write_frames(tmp_path / "scan.tif")
    assert read_picture(path).notes == (frames_note(3),)
    assert note_of_pages(path) == frames_note(3)
    assert str(frames_note(3)) == "of up to 3 frames or pages, read by the first of them alone"


def test_a_profile_of_the_first_page_is_not_taken_for_the_next(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    buffer = io.BytesIO()
    first = Image.new("LAB", (4, 4), (120, 10, 10))
    first.save(buffer, "TIFF", icc_profile=profile)
    path = tmp_path / "scan.tif"
    Image.open(buffer).save(
        path, save_all=True, append_images=[Image.new("RGB", (4, 4), (9, 99, 199))]
    )
    with ImageFile(path, frame=1) as file:
        assert file.read().rgb[0, 0].tolist() == [9, 99, 199]
