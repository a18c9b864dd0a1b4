"""Reading every pair before a training."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.mask_reader import LabelError
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import DataError
from pixelwise.progress import Progress


class Lines(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    """40 pairs of 4 x 6; each mask holds one void pixel, 5 of class 1 and 18 of class 0."""
    values = np.zeros((4, 6), np.uint8)
    values[0, 0] = 255
    values[1, :5] = 1
    for split, count in (("train", 40), ("val", 1)):
        for folder in ("images", "masks"):
            (tmp_path / folder / split).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (6, 4)).save(tmp_path / f"images/{split}/{index:02}.png")
            Image.fromarray(values).save(tmp_path / f"masks/{split}/{index:02}.png")
    (tmp_path / "classes.txt").write_text("ground\nroad\ncar\n")
    return open_dataset(tmp_path)


def resize(path: Path, height: int, width: int, orientation: int = 1) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height)).save(path, exif=exif)


def test_pixels_void_and_median_size_are_counted(data: DataSet) -> None:
    found = scan_split(data, "train", progress=Progress())
    assert (found.pixels, found.void, found.median_size) == ((40 * 18, 40 * 5, 0), 40, (4, 6))
    assert (found.pairs, found.broken) == (data.pairs("train"), ())


def test_broken_files_are_counted_named_and_explained(data: DataSet) -> None:
    images = data.root / "images/train"
    (images / "03.png").write_bytes(b"")
    (data.root / "masks/train/05.png").write_bytes(b"not a picture")
    for name in ("07", "08", "09", "10"):
        resize(images / f"{name}.png", 4, 5)
    with pytest.raises(DataError) as caught:
        scan_split(data, "train", progress=Progress())
    text = str(caught.value)
    assert text.startswith("6 of 40 pairs of train cannot be used: ")
    assert "03.png: cannot be read as an image (the file is empty)" in text
    assert (
        f"{data.root / 'masks/train/05.png'}: cannot be read as an image (unknown format)" in text
    )
    assert "07.png: the image is 4 x 5 and its mask 07.png 4 x 6 (height x width)" in text
    assert "10.png" not in text
    assert text.endswith(
        "; and 1 more; repair or remove them, or leave them out with --skip-broken"
    )


def test_broken_files_of_one_reason_are_named_together(data: DataSet) -> None:
    images = data.root / "images/train"
    for name in ("03", "04", "05"):
        (images / f"{name}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"^3 of 40 pairs") as caught:
        scan_split(data, "train", progress=Progress())
    files = ", ".join(str(images / f"{name}.png") for name in ("03", "04", "05"))
    assert f"{files}: cannot be read as an image (the file is empty); repair" in str(caught.value)


def test_broken_files_can_be_left_out_and_are_said(data: DataSet) -> None:
    (data.root / "images/train/03.png").write_bytes(b"")
    progress = Lines()
    found = scan_split(data, "train", progress=progress, skip_broken=True)
    assert [pair.name for pair in found.pairs] == [
        pair.name for pair in data.pairs("train") if pair.name != "03"
    ]
    assert [path.name for path, _ in found.broken] == ["03.png"]
    assert found.void == 39
    assert len(progress.lines) == 1
    assert "03.png: cannot be read" in progress.lines[0]


def test_a_forgotten_orientation_is_recognised(data: DataSet) -> None:
    resize(data.root / "images/train/03.png", 4, 6, orientation=6)
    message = (
        "the image is 6 x 4 and its mask 03.png 4 x 6.*match with the image's EXIF orientation "
        "left out"
    )
    with pytest.raises(DataError, match=message):
        scan_split(data, "train", progress=Progress())


@pytest.mark.parametrize("skip_broken", [False, True])
def test_wrong_labels_are_never_skipped(data: DataSet, skip_broken: bool) -> None:
    for name in ("03", "04"):
        Image.fromarray(np.full((4, 6), 3, np.uint8)).save(data.root / f"masks/train/{name}.png")
    with pytest.raises(
        LabelError,
        match=r"03.png: value 3 in 24 pixels, the first at row 0, column 0.*and 1 more masks",
    ):
        scan_split(data, "train", progress=Progress(), skip_broken=skip_broken)


def test_nothing_left_is_an_error(data: DataSet) -> None:
    (data.root / "images/val/00.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no pair of val can be used \(1 of 1 are broken\)"):
        scan_split(data, "val", progress=Progress(), skip_broken=True)


def test_an_unknown_split_is_told(data: DataSet) -> None:
    with pytest.raises(DataError, match="there is no split 'test'; choose one of train, val"):
        scan_split(data, "test", progress=Progress())


def test_images_are_read_in_bounded_chunks(data: DataSet) -> None:
    """Whoever takes one pair and waits has made the survey read one chunk, not the whole split."""
    asked: list[Path] = []
    counted: list[int] = []

    def reader(path: Path) -> np.ndarray:
        asked.append(path)
        return data.read_labels(path)

    class Stop(Progress):
        def track(self, items, **_):  # type: ignore[no-untyped-def]
            reads = iter(items)
            yield next(reads)
            time.sleep(0.4)
            counted.append(len(asked))

    many = tuple(Pair(str(index), *_files(data)) for index in range(200))
    scan_split(replace(data, splits={"train": many}, read_labels=reader), "train", progress=Stop())
    assert 1 <= counted[0] <= 64


def _files(data: DataSet) -> tuple[Path, Path]:
    pair = data.pairs("train")[0]
    return pair.image, pair.mask


def write_turned(root: Path, *, turned_masks: bool) -> DataSet:
    """Eight pairs of a bright block; EXIF turns every image by half, and masks are drawn on the
    turned or on the stored picture.
    """
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 3
    for number in range(8):
        labels = np.zeros((60, 80), np.uint8)
        labels[5 + number : 25 + number, 8:30] = 1
        labels[30:40, 40 + number : 70] = 1
        noise = np.random.default_rng(number).normal(0, 5, (60, 80, 3))
        rgb = (60 + 120 * labels[..., None] + noise).astype(np.uint8)
        Image.fromarray(rgb).save(root / f"images/{number}.jpg", exif=exif, quality=95)
        mask = labels[::-1, ::-1] if turned_masks else labels
        Image.fromarray(mask).save(root / f"masks/{number}.png")
    return open_dataset(root, DataOptions(hold_out=False))


def test_images_that_exif_turns_without_their_masks_are_refused_or_named(tmp_path: Path) -> None:
    data = write_turned(tmp_path / "stored", turned_masks=False)
    with pytest.raises(
        DataError, match=r"8 images are turned .* `pixelwise check --fix` turn them"
    ):
        scan_split(data, "train", progress=Progress())
    lines = Lines()
    data = write_turned(tmp_path / "shown", turned_masks=True)
    assert len(scan_split(data, "train", progress=lines).pairs) == 8
    assert any("8 images are turned by their EXIF orientation" in line for line in lines.lines)


def test_training_images_of_one_class_alone_are_refused(data: DataSet) -> None:
    for pair in data.pairs("train"):
        Image.fromarray(np.zeros((4, 6), np.uint8)).save(pair.mask)
    with pytest.raises(DataError, match="every training pixel that counts is 'ground', which"):
        scan_split(data, "train", progress=Progress())


def test_a_mask_of_voc_with_another_palette_is_refused(tmp_path: Path) -> None:
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    colours = ((0, 0, 0), (128, 0, 0))
    for name in ("a", "b", "c", "d"):
        Image.new("RGB", (4, 2)).save(tmp_path / f"JPEGImages/{name}.jpg")
        swap = name == "b"
        mask = Image.fromarray(np.array([[0, 0, 1, 1]] * 2, np.uint8) ^ np.uint8(swap))
        mask.putpalette([channel for row in colours[:: -1 if swap else 1] for channel in row])
        mask.save(tmp_path / f"SegmentationClass/{name}.png")
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("a\nb\nc\n")
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("d\n")
    with pytest.raises(DataError, match=r"b\.png: in its palette value 0 is \(128, 0, 0\)"):
        scan_split(open_dataset(tmp_path), "train", progress=Progress())
