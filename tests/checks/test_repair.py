"""What a repaired copy holds, and when none is written."""

import json
from pathlib import Path

import clinic_faults as faults  # conftest.py has put it there
import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.check_dataset import check
from pixelwise.checks.examine import examine
from pixelwise.errors import DataError, OutputError
from pixelwise.io.images import write_labels

Array = np.ndarray


def photo(seed: int, side: int = 128) -> Array:
    """A smooth picture of its own."""
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def object_at(seed: int, side: int = 128) -> Array:
    """A disc of True in False."""
    y, x = np.mgrid[:side, :side]
    return np.hypot(y - 40 - seed % 7 * 5, x - 50 - seed % 5 * 6) < 18 + seed % 4 * 5


def write_set(
    root: Path, masks: list[Array], suffix: str = ".png", images: list[Array] | None = None
) -> Path:
    """A plain folder without splits: images as PNG, masks in the format of `suffix`."""
    for side in ("images", "masks"):
        (root / side).mkdir(parents=True)
    for number, mask in enumerate(masks):
        image = photo(number) if images is None else images[number]
        Image.fromarray(image).save(root / f"images/{number:03}.png")
        Image.fromarray(mask).save(root / f"masks/{number:03}{suffix}")
    return root


def labels_of(folder: Path) -> dict[str, Array]:
    return {path.stem: np.asarray(Image.open(path)) for path in (folder / "masks").rglob("*.png")}


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
    assert done.kept == 6
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


def test_an_image_that_fails_while_it_is_mended_leaves_no_mask_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_set(tmp_path / "set", [object_at(number).astype(np.uint8) for number in range(8)])
    Image.fromarray(photo(3)).convert("CMYK").save(root / "images/003.jpg")
    (root / "images/003.png").unlink()

    def gone(path: Path) -> None:
        raise DataError(f"{path}: cannot be read")

    monkeypatch.setattr("pixelwise.checks.repair_pair.read_rgb", gone)
    _, done = check(root, fix=tmp_path / "repaired")
    assert done
    assert (done.kept, done.left_out) == (7, 1)
    assert "003" not in labels_of(tmp_path / "repaired")
    assert not list((tmp_path / "repaired/images").rglob("003.*"))


@pytest.mark.parametrize(
    ("places", "kept"),
    [
        (("train", "val", "test"), "test"),
        (("train", "test", "test"), "test"),
        (("train", "train", "val", "val"), "val"),
        (("train", "train", "train"), "train"),
    ],
)
def test_of_many_copies_one_is_left_where_it_is_tested_most(
    tmp_path: Path, places: tuple[str, ...], kept: str
) -> None:
    root = tmp_path / "set"
    pairs = [("train", 8), ("val", 3), ("test", 3)]
    jobs = [
        (split, f"{split}{at}", at + 100 * ord(split[1]))
        for split, count in pairs
        for at in range(count)
    ]
    jobs += [(split, f"copy{at}", 999) for at, split in enumerate(places)]
    for split, name, seed in jobs:
        for side, pixels in (("images", photo(seed)), ("masks", object_at(seed).astype(np.uint8))):
            (root / side / split).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / side / split / f"{name}.png")
    found, _ = check(root, fix=tmp_path / "repaired")
    assert {"image-leak", "image-twice"} & found.findings.ids()
    left = [path.parent.name for path in (tmp_path / "repaired/images").rglob("copy*.png")]
    assert left == [kept]
    assert not {"image-leak", "image-twice"} & examine(tmp_path / "repaired").findings.ids()


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
    assert (done.kept, done.left_out) == (12, 0)
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


@pytest.mark.parametrize("classes", ["", "void\n"])
def test_pictures_of_noise_in_the_masks_folder_are_called_photographs(
    tmp_path: Path, classes: str
) -> None:
    rng = np.random.default_rng(0)
    root = write_set(
        tmp_path / "set", [rng.integers(0, 255, (128, 128, 3), np.uint8) for _ in range(12)]
    )
    if classes:
        (root / "classes.txt").write_text(classes)
    found, _ = check(root, report=tmp_path / "page.html", json_file=tmp_path / "found.json")
    photos = next(finding for finding in found.findings if finding.id == "mask-is-photo")
    assert photos.places == 12
    assert "encodings-mixed" not in found.findings.ids()
    with pytest.raises(OutputError, match="no pair can be repaired"):
        check(root, fix=tmp_path / "repaired")


def test_a_classes_file_of_void_alone_is_named(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [object_at(number).astype(np.uint8) for number in range(6)])
    (root / "classes.txt").write_text("void\n")
    found = examine(root).findings
    assert [finding.places for finding in found if finding.id == "classes-misfit"] == [1]


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
    assert (done.kept, done.left_out) == (7, 9)
    log = [
        json.loads(line) for line in (tmp_path / "repaired/fixes.jsonl").read_text().splitlines()
    ]
    left = sorted((entry["why"], entry["file"]) for entry in log if entry["change"] == "left out")
    assert left == [
        *(("image-without-mask", f"images/{number:03}.png") for number in range(10, 15)),
        *(("mask-is-photo", f"images/{number:03}.png") for number in range(2, 6)),
    ]


def test_one_mask_in_colours_does_not_make_the_others_odd(sample_set: faults.SampleSet) -> None:
    """The classes file gives colours, and all other masks are ids with a palette of these
    colours.
    """
    rows = [
        f"{name},{r},{g},{b}"
        for name, (r, g, b) in zip(sample_set.names, sample_set.palette, strict=True)
    ]
    (sample_set.root / "classes.txt").unlink()
    (sample_set.root / "classes.csv").write_text("\n".join(rows) + "\n")
    (_, mask), *_ = sample_set.pairs()
    with Image.open(mask) as image:
        image.convert("RGB").save(mask)
    found = examine(sample_set.root)
    assert found.encoding.kind == "class ids"
    odd = [
        hit.file
        for finding in found.findings
        if finding.id == "encodings-mixed"
        for hit in finding.issues
    ]
    assert odd == [mask]
