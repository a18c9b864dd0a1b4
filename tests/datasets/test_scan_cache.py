"""What a pass measured is kept until a file changes, and changes no result."""

import os
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.examine import examine
from pixelwise.classes import voc_colormap
from pixelwise.datasets import scan_cache, scan_pairs
from pixelwise.datasets.conversion import convert
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.pair_stats import MaskStats, PairStats
from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.io.images import write_labels
from pixelwise.progress import Progress


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/pixelwise/scans"


@pytest.fixture
def shapes_set(tmp_path: Path) -> Path:
    write_shapes(tmp_path / "set", train=6, val=2, test=2, size=(40, 60), seed=1)
    return tmp_path / "set"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pairs that are decoded."""
    names: list[str] = []
    measure = scan_pairs.measure_pair

    def record(*args, **options) -> PairStats:  # type: ignore[no-untyped-def]
        names.append(args[3].image.name)
        return measure(*args, **options)

    monkeypatch.setattr(scan_pairs, "measure_pair", record)
    return names


def assert_same(first: PairStats, second: PairStats) -> None:
    for name in ("split", "pair", "image", "fit"):
        assert getattr(first, name) == getattr(second, name)
    assert first.mask
    assert second.mask
    for field in fields(MaskStats):
        one = getattr(first.mask, field.name)
        other = getattr(second.mask, field.name)
        assert np.array_equal(one, other) if field.name == "table" else one == other
    assert first.mask.table.dtype == second.mask.table.dtype


@pytest.mark.parametrize("format", ["folder", "coco", "voc"])
def test_results_are_the_same_from_the_cache(
    shapes_set: Path, cache: Path, decoded: list[str], tmp_path: Path, format: str
) -> None:
    root = tmp_path / format
    convert(shapes_set, root, to=format)
    first = examine(root)
    del decoded[:]
    second = examine(root)
    assert decoded == []
    assert first.as_dict() == second.as_dict()
    for one, other in zip(first.pairs, second.pairs, strict=True):
        assert_same(one, other)
    shutil.rmtree(cache)
    fresh = scan_split(open_dataset(root), "train", progress=Progress())
    assert scan_split(open_dataset(root), "train", progress=Progress()) == fresh


def test_training_decodes_nothing_that_check_has_decoded(
    shapes_set: Path, cache: Path, decoded: list[str]
) -> None:
    fresh = scan_split(open_dataset(shapes_set), "train", progress=Progress())
    shutil.rmtree(cache)
    examine(shapes_set)
    del decoded[:]
    assert scan_split(open_dataset(shapes_set), "train", progress=Progress()) == fresh
    assert decoded == []


def test_check_measures_in_full_what_training_has_only_counted(
    shapes_set: Path, cache: Path, decoded: list[str]
) -> None:
    expected = examine(shapes_set).as_dict()
    shutil.rmtree(cache)
    scan_split(open_dataset(shapes_set), "train", progress=Progress())
    del decoded[:]
    assert examine(shapes_set).as_dict() == expected
    assert len(decoded) == 10


def test_a_changed_file_of_the_same_size_is_measured_again(
    shapes_set: Path, cache: Path, decoded: list[str]
) -> None:
    mask = shapes_set / "masks/train/003.png"
    Image.new("L", (60, 40), 1).save(mask)
    before = scan_split(open_dataset(shapes_set), "train", progress=Progress())
    size = mask.stat().st_size
    Image.new("L", (60, 40), 2).save(mask)
    assert mask.stat().st_size == size
    os.utime(mask, (1, 1))
    del decoded[:]
    after = scan_split(open_dataset(shapes_set), "train", progress=Progress())
    assert set(decoded) == {"003.jpg"}
    assert after.pixels[2] - before.pixels[2] == 60 * 40


def test_changed_annotations_are_drawn_again(shapes_set: Path, cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "coco"
    convert(shapes_set, root, to="coco")
    scan_split(open_dataset(root), "train", progress=Progress())
    shutil.rmtree(shapes_set / "masks")
    for path in (shapes_set / "images").rglob("*.jpg"):
        mask = shapes_set / "masks" / path.parent.name / f"{path.stem}.png"
        labels = np.ones((40, 60), np.uint8)
        labels[0] = 2
        write_labels(mask, labels, voc_colormap(4))
    convert(shapes_set, tmp_path / "other", to="coco")
    shutil.rmtree(root / "annotations")
    shutil.copytree(tmp_path / "other/annotations", root / "annotations")
    after = scan_split(open_dataset(root), "train", progress=Progress())
    assert after.pixels[:3] == (0, 6 * 39 * 60, 6 * 60)


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_cache_is_ignored(shapes_set: Path, cache: Path, damage: bytes | None) -> None:
    expected = examine(shapes_set).as_dict()
    (path,) = cache.glob("*.npz")
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 255
    path.write_bytes(flipped if damage is None else damage)
    assert examine(shapes_set).as_dict() == expected


def test_pickles_in_a_cache_are_not_read(shapes_set: Path, cache: Path) -> None:
    expected = examine(shapes_set).as_dict()
    (path,) = cache.glob("*.npz")
    np.savez(path, header=np.array([{"rows": []}], object))
    assert examine(shapes_set).as_dict() == expected


def test_a_cache_that_cannot_be_written_is_not(
    shapes_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert examine(shapes_set).as_dict()["errors"] == 0


def test_the_cache_has_a_limited_number_of_files_of_limited_size(
    shapes_set: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scan_cache, "_MAX_FILES", 2)
    for number in range(4):
        shutil.copytree(shapes_set, tmp_path / f"copy{number}")
        examine(tmp_path / f"copy{number}")
        assert len(list(cache.glob("*.npz"))) == min(2, number + 1)
    shutil.rmtree(cache)
    monkeypatch.setattr(scan_cache, "_MAX_BYTES", 100)
    examine(shapes_set)
    assert not list(cache.glob("*.npz")) if cache.exists() else True


def test_files_that_could_not_be_read_are_tried_again(
    shapes_set: Path, cache: Path, decoded: list[str]
) -> None:
    (shapes_set / "masks/train/001.png").write_bytes(b"")
    for _ in range(2):
        del decoded[:]
        assert "mask-unreadable" in examine(shapes_set).findings.ids()
    assert decoded == ["001.jpg"]
