"""What a repaired copy holds, and when none is written."""

import json
from pathlib import Path

import clinic_faults as faults  # conftest.py has put it there
import numpy as np
import pytest
from sample_pictures import labels_of, object_at, write_set

from pixelwise.checks.check_dataset import check
from pixelwise.checks.examine import examine
from pixelwise.errors import DataError, OutputError
from pixelwise.io.images import write_labels


@pytest.mark.parametrize("declared", ["", "background\nthing\n"])
def test_masks_of_0_and_255_that_are_all_jpeg_become_two_classes(
    tmp_path: Path, declared: str
) -> None:
    truth = [object_at(number) for number in range(6)]
    root = write_set(
        tmp_path / "set", [mask.astype(np.uint8) * np.uint8(255) for mask in truth], ".jpg"
    )
    if declared:
        (root / "classes.txt").write_text(declared)
    found, done = check(root, fix=tmp_path / "repaired")
    assert "mask-lossy" in found.findings.ids()
    assert len(found.encoding.classes) == 2
    assert done
    assert done.written == 6
    for name, labels in labels_of(tmp_path / "repaired").items():
        assert set(np.unique(labels)) == {0, 1}
        assert float((labels != truth[int(name)]).mean()) < 0.001


@pytest.mark.parametrize("void", [False, True])
def test_ids_that_are_all_jpeg_are_not_mended_but_named(tmp_path: Path, void: bool) -> None:
    masks = []
    for number in range(6):
        mask = object_at(number).astype(np.uint8) * np.uint8(3) + np.uint8(5) * object_at(
            number + 3
        )
        mask[:20, :20] = 255 if void else 0
        masks.append(mask)
    root = write_set(tmp_path / "set", masks, ".jpg")
    assert "mask-lossy" in examine(root).findings.ids()
    with pytest.raises(DataError, match=r"every mask is JPEG.*export the masks as PNG"):
        check(root, fix=tmp_path / "repaired")
    assert not (tmp_path / "repaired").exists()


def test_a_disk_that_fills_up_on_a_mask_leaves_no_half_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_set(tmp_path / "set", [object_at(number).astype(np.uint8) for number in range(8)])
    written = []

    def full(path: Path, *rest: object) -> None:
        written.append(path)
        if len(written) > 4:
            raise OutputError(f"cannot write {path}: no space left")
        write_labels(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("pixelwise.checks.repair_pair.write_labels", full)
    with pytest.raises(OutputError, match="no space left"):
        check(root, fix=tmp_path / "repaired")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("values", [(128, 255), (100, 200), (100, 255)])
def test_two_high_values_without_classes_file_are_two_classes(
    tmp_path: Path, values: tuple[int, int]
) -> None:
    truth = [object_at(number) for number in range(12)]
    root = write_set(
        tmp_path / "set", [np.where(mask, values[1], values[0]).astype(np.uint8) for mask in truth]
    )
    found, done = check(root, fix=tmp_path / "repaired")
    assert not found.findings.of("error")
    assert done
    assert (done.written, done.left_out) == (12, 0)
    for name, labels in labels_of(tmp_path / "repaired").items():
        assert np.array_equal(labels, truth[int(name)])


def test_values_of_which_none_is_a_class_are_not_mended_to_void(tmp_path: Path) -> None:
    masks = [np.where(object_at(n), 200, 100).astype(np.uint8) for n in range(12)]
    for mask in masks:
        mask[100:] = 150
    root = write_set(tmp_path / "set", masks)
    assert "value-doubtful" in examine(root).findings.ids()
    with pytest.raises(DataError, match="name the classes"):
        check(root, fix=tmp_path / "repaired")
    assert not (tmp_path / "repaired").exists()


def test_a_copy_leaves_out_and_names_all_however_few_places_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelwise.checks.findings.MAX_ISSUES", 2)
    rng = np.random.default_rng(0)
    masks = [object_at(number).astype(np.uint8) for number in range(16)]
    masks[2:6] = [rng.integers(0, 255, (128, 128, 3), np.uint8) for _ in range(4)]
    root = write_set(tmp_path / "set", masks)
    for number in range(10, 15):
        (root / f"masks/{number:03}.png").unlink()
    _, done = check(root, fix=tmp_path / "repaired")
    assert done
    assert (done.written, done.left_out) == (7, 9)
    log = [
        json.loads(line) for line in (tmp_path / "repaired/fixes.jsonl").read_text().splitlines()
    ]
    left = sorted((entry["why"], entry["file"]) for entry in log if entry["change"] == "left out")
    assert left == [
        *(("image-without-mask", f"images/{number:03}.png") for number in range(10, 15)),
        *(("mask-is-photo", f"images/{number:03}.png") for number in range(2, 6)),
    ]


@pytest.mark.parametrize("place", ["inside", "around", "full"])
def test_fix_refuses_a_folder_in_the_source_around_it_or_in_use(
    sample_set: faults.SampleSet, tmp_path: Path, place: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/note.txt").write_text("mine")
    folder = {"inside": sample_set.root / "copy", "around": tmp_path, "full": tmp_path / "full"}[
        place
    ]
    with pytest.raises(OutputError):
        check(sample_set.root, fix=folder)
    assert (tmp_path / "full/note.txt").read_text() == "mine"
    assert not (sample_set.root / "copy").exists()


def test_a_copy_that_breaks_off_leaves_nothing(
    sample_set: faults.SampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pixelwise.checks.repair_pair.shutil.copyfile", full)
    with pytest.raises(OutputError, match="No space"):
        check(sample_set.root, fix=tmp_path / "repaired")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_training_reads_the_mended_copy_of_a_broken_set(
    sample_set: faults.SampleSet, tmp_path: Path
) -> None:
    from pixelwise.datasets.open_dataset import open_dataset
    from pixelwise.datasets.scan import scan_split
    from pixelwise.progress import Progress

    (sample_set.root / "masks/train/000.png").write_bytes(b"")
    (sample_set.root / "masks/train/001.png").unlink()
    with pytest.raises(DataError):
        scan_split(open_dataset(sample_set.root), "train", progress=Progress())
    check(sample_set.root, fix=tmp_path / "repaired")
    dataset = open_dataset(tmp_path / "repaired")
    assert dataset.classes.names == sample_set.names
    kept = scan_split(dataset, "train", progress=Progress())
    assert len(kept.pairs) == 10
