"""One encoding for all masks of a set: training, evaluation, conversion and checks read alike."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.check_dataset import check
from pixelwise.checks.examine import examine
from pixelwise.classes import VOID
from pixelwise.datasets.conversion import convert
from pixelwise.datasets.guess_values import FEW_MASKS
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.strays import read_nearest
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError
from pixelwise.progress import Progress

Array = np.ndarray
COUNT = 12
SIDE = 64
PALETTE = np.array([(0, 0, 0), (30, 30, 200), (200, 30, 30)], np.uint8)
ON_DISK = DataOptions(hold_out=False)


def labels_of(number: int) -> Array:
    """(64, 64) areas of classes 0 to 2."""
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[10 : 30 + number, 8:30] = 1
    labels[34:60, 20 + number : 55] = 2
    return labels


def write_set(root: Path, write_mask: Callable[[Array, Path], None], count: int = COUNT) -> Path:
    for side in ("images", "masks"):
        (root / side).mkdir(parents=True)
    for number in range(count):
        small = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
        photo = Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        photo.save(root / f"images/{number:02}.png")
        write_mask(labels_of(number), root / f"masks/{number:02}.png")
    return root


def save(values: Array, path: Path) -> None:
    Image.fromarray(values).save(path)


def save_in_alpha(labels: Array, path: Path) -> None:
    image = Image.new("RGBA", (SIDE, SIDE), (255, 255, 255, 0))
    image.putalpha(Image.fromarray(labels))
    image.save(path)


def save_stray_id(labels: Array, path: Path) -> None:
    if path.stem == "05":
        labels[20, 3] = 7
    save(labels, path)


def save_stray_colour(labels: Array, path: Path) -> None:
    pixels = PALETTE[labels]
    if path.stem == "05":
        pixels[20, 3] = (12, 200, 70)
    save(pixels, path)


READ = {
    "two high values": (
        lambda labels, path: save(np.where(labels == 1, 200, 100).astype(np.uint8), path),
        "only 100 and 200 in 12 files: both are classes, none is void",
    ),
    "8 bits saved as 16": (
        lambda labels, path: save(labels.astype(np.uint16) * 257, path),
        "8 bits saved as 16 in 12 files",
    ),
    "drawn in alpha": (save_in_alpha, "drawn in the alpha channel of 12 files"),
    "ids": (save, "class ids 0 to 2 in 12 files"),
    "colours": (lambda labels, path: save(PALETTE[labels], path), "3 colours in 12 files"),
    "0 and 255": (
        lambda labels, path: save((labels == 1).astype(np.uint8) * np.uint8(255), path),
        "only 0 and 255 in 12 files",
    ),
}
REFUSED = {
    "an id": (
        save_stray_id,
        r"05.png: 1 pixels of value 7 at row 20, column 3; the nearest legal is 2; .*classes.txt"
        r".*`pixelwise check --fix`",
    ),
    "a colour": (
        save_stray_colour,
        r"05.png: 1 pixels of value \(12, 200, 70\) at row 20, column 3; the nearest legal is "
        r"\(0, 0, 0\); .*classes.csv.*`pixelwise check --fix`",
    ),
}


@pytest.mark.parametrize("name", READ)
def test_training_and_checks_read_the_same_classes_and_labels(tmp_path: Path, name: str) -> None:
    write_mask, note = READ[name]
    root = write_set(tmp_path / "set", write_mask)
    dataset = open_dataset(root, ON_DISK)
    assert any(note in line for line in dataset.notes), dataset.notes
    result = examine(root)
    assert result.encoding.classes == dataset.classes
    for stats in result.pairs:
        assert stats.mask
        checked, strays = read_nearest(
            stats.pair, stats.mask, result.encoding, result.index.mask_source
        )
        assert strays is None
        labels = dataset.read_labels(stats.pair.mask)
        np.testing.assert_array_equal(labels, checked)
        expected = labels_of(int(stats.pair.name))
        two = len(dataset.classes) == 2
        np.testing.assert_array_equal(labels, (expected == 1) if two else expected)
    counts = scan_split(dataset, "train", progress=Progress())
    shares = result.shares["train"]
    assert counts.pixels == tuple(shares.pixels[: len(dataset.classes)].tolist())
    assert counts.void == shares.pixels[VOID]


@pytest.mark.parametrize("count", [COUNT, FEW_MASKS - 2])
@pytest.mark.parametrize("name", REFUSED)
def test_a_stray_pixel_stops_training_and_conversion_with_the_finding(
    tmp_path: Path, name: str, count: int
) -> None:
    write_mask, message = REFUSED[name]
    root = write_set(tmp_path / "set", write_mask, count)
    with pytest.raises(DataError, match=message):
        open_dataset(root)
    with pytest.raises(DataError, match=message):
        convert(root, tmp_path / "converted", to="coco")
    result = examine(root)
    assert len(result.encoding.classes) == 3
    issues = [issue for finding in result.findings.of("error") for issue in finding.issues]
    assert [(issue.position, issue.count) for issue in issues] == [((20, 3), 1)]


@pytest.mark.parametrize("name", REFUSED)
def test_training_reads_the_repaired_copy_of_a_set_with_a_stray_pixel(
    tmp_path: Path, name: str
) -> None:
    root = write_set(tmp_path / "set", REFUSED[name][0])
    check(root, fix=tmp_path / "repaired")
    dataset = open_dataset(tmp_path / "repaired")
    assert len(dataset.classes) == 3
    for split in dataset.splits:
        for pair in dataset.pairs(split):
            differs = dataset.read_labels(pair.mask) != labels_of(int(pair.name))
            assert differs.sum() <= 1


def test_a_classes_file_declares_what_would_be_a_stray_value(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", save_stray_id)
    (root / "classes.txt").write_text("\n".join(f"thing {number}" for number in range(8)))
    dataset = open_dataset(root, ON_DISK)
    stray = next(pair for pair in dataset.pairs("train") if pair.name == "05")
    assert dataset.read_labels(stray.mask)[20, 3] == 7


def test_a_repaired_copy_is_split_as_training_splits_the_source(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", save)
    check(root, fix=tmp_path / "repaired")
    trained = open_dataset(root)
    copy = open_dataset(tmp_path / "repaired")
    for split in trained.splits:
        names = [pair.name for pair in trained.pairs(split)]
        assert [pair.name for pair in copy.pairs(split)] == names


def test_masks_in_colours_of_which_most_are_black_are_colours(tmp_path: Path) -> None:
    def write_mask(labels: Array, path: Path) -> None:
        save(PALETTE[labels if path.stem in ("02", "05", "07") else labels * 0], path)

    root = write_set(tmp_path / "set", write_mask)
    dataset = open_dataset(root, ON_DISK)
    result = examine(root)
    assert len(dataset.classes) == 3
    assert result.encoding.classes == dataset.classes
    assert not result.findings.of("error")


def test_an_alpha_mask_of_one_class_alone_is_read_in_alpha_as_the_others(tmp_path: Path) -> None:
    def write_mask(labels: Array, path: Path) -> None:
        save_in_alpha(np.full_like(labels, 2) if path.stem == "03" else labels, path)

    root = write_set(tmp_path / "set", write_mask)
    dataset = open_dataset(root, ON_DISK)
    full = next(pair for pair in dataset.pairs("train") if pair.name == "03")
    assert (dataset.read_labels(full.mask) == 2).all()
    assert examine(root).shares["all"].images[2] == COUNT


def test_small_objects_of_255_are_a_class(tmp_path: Path) -> None:
    def write_mask(labels: Array, path: Path) -> None:
        values = np.zeros_like(labels)
        values[3, 4] = 255
        save(values, path)

    root = write_set(tmp_path / "set", write_mask)
    dataset = open_dataset(root, ON_DISK)
    assert dataset.classes.names == ("background", "foreground")
    assert examine(root).encoding.classes == dataset.classes
