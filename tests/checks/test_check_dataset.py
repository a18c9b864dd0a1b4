"""Folders as users have them at their worst."""

import json
import os
import re
import shutil
import warnings
from pathlib import Path

import clinic_faults as faults  # conftest.py has put it there
import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.check_dataset import check
from pixelwise.checks.examine import examine
from pixelwise.datasets.issues import printable_path
from pixelwise.errors import DataError, OutputError


def test_malformed_json_is_named_with_line_and_column(sample_set: faults.SampleSet) -> None:
    (sample_set.root / "classes.txt").unlink()
    (sample_set.root / "classes.json").write_text('{\n "0": "ground",\n "1" "circle"\n}')
    finding = next(f for f in examine(sample_set.root).findings if f.id == "classes-malformed")
    assert finding.issues[0].position == (3, 6)
    assert "line 3" in finding.issues[0].text


def test_a_stray_pixel_is_named_with_its_row_column_and_nearest_colour(
    sample_set: faults.SampleSet,
) -> None:
    table = np.array(sample_set.palette, np.uint8)
    for path in sorted((sample_set.root / "masks").rglob("*.png")):
        with Image.open(path) as image:
            pixels = table[np.asarray(image)]
        if path.name == "003.png" and path.parent.name == "train":
            pixels[17, 23] = (120, 3, 2)
        Image.fromarray(pixels).save(path)
    rows = [
        f"{name},{r},{g},{b}"
        for name, (r, g, b) in zip(sample_set.names, sample_set.palette, strict=True)
    ]
    (sample_set.root / "classes.txt").unlink()
    (sample_set.root / "classes.csv").write_text("\n".join(rows))
    finding = next(f for f in examine(sample_set.root).findings if f.id == "colour-stray")
    assert [(hit.position, hit.count) for hit in finding.issues] == [((17, 23), 1)]
    assert "(128, 0, 0)" in finding.issues[0].text


def test_a_name_that_is_not_utf8_can_be_printed_and_written_as_json(
    sample_set: faults.SampleSet, tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9")
    for side, suffix in (("images", ".jpg"), ("masks", ".png")):
        shutil.copy(
            sample_set.root / side / f"train/000{suffix}",
            sample_set.root / side / f"train/{name}{suffix}",
        )
    check(
        sample_set.root,
        json_file=tmp_path / "found.json",
        report=tmp_path / "page.html",
        fix=tmp_path / "repaired",
    )
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert any(finding["id"] == "name-not-utf8" for finding in found["findings"])
    assert printable_path(Path(name)) == "caf\\xe9"


def test_the_page_needs_no_network_and_shows_thumbnails_and_shares(
    sample_set: faults.SampleSet, tmp_path: Path
) -> None:
    (sample_set.root / "masks/train/000.png").write_bytes(b"no picture")
    shutil.copy(sample_set.root / "masks/train/001.png", sample_set.root / "masks/train/002.png")
    check(sample_set.root, report=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert page.count("data:image/jpeg") >= 2
    assert page.count("data:image/png") == 1
    assert page.index("mask-unreadable") < page.index("mask-identical")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_said(sample_set: faults.SampleSet) -> None:
    (sample_set.root / "masks/test").chmod(0)
    try:
        assert "folder-unreadable" in examine(sample_set.root).findings.ids()
    finally:
        (sample_set.root / "masks/test").chmod(0o755)


def test_a_folder_whose_listing_fails_is_said(
    sample_set: faults.SampleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> list[Path]:
        if folder.name == "test" and folder.parent.name == "masks":
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    from pixelwise.datasets import types as layout

    listed = layout.list_images
    monkeypatch.setattr(layout, "list_images", refuse)
    found = examine(sample_set.root).findings
    assert "folder-unreadable" in found.ids()


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


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        check(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no known layout"):
        check(tmp_path / "empty")


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
    assert len(kept.pairs) == 18


@pytest.mark.parametrize("side", ["images", "masks"])
def test_a_file_without_partner_may_have_a_name_that_is_not_utf8(
    sample_set: faults.SampleSet, tmp_path: Path, side: str
) -> None:
    folder = sample_set.root / side / "train"
    chosen = sorted(folder.iterdir())[0]
    chosen.rename(folder / f"{os.fsdecode(b'caf' + bytes([0xE9]))}{chosen.suffix}")
    found, _ = check(
        sample_set.root,
        json_file=tmp_path / "f.json",
        report=tmp_path / "page.html",
        fix=tmp_path / "repaired",
    )
    assert {"image-without-mask", "mask-without-image", "name-not-utf8"} <= found.findings.ids()
    assert "caf\\xe9" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "\\udce9" not in (tmp_path / "repaired/fixes.jsonl").read_text(encoding="utf-8")
    for finding in found.findings:
        for hit in finding.issues:
            hit.text.encode("utf-8")  # raises where bytes of the name are left in it


def test_an_examination_puts_warning_filters_back(sample_set: faults.SampleSet) -> None:
    before = list(warnings.filters)
    examine(sample_set.root)
    assert warnings.filters == before


def test_the_page_tells_every_place_once_beside_its_own_picture(
    sample_set: faults.SampleSet, tmp_path: Path
) -> None:
    for at, (_, mask) in enumerate(sample_set.pairs()[:8]):
        labels = np.asarray(Image.open(mask)).copy()
        labels[: at + 1, 0] = 99
        faults.save_mask(mask, labels, sample_set)
    check(sample_set.root, report=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    section = page.split("value-outside-classes", 1)[1].split("</section>")[0]
    told = [f"{at + 1} pixels of value 99 at row 0, column 0" for at in range(8)]
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", section)
    assert all(text in caption for text, caption in zip(told[:6], captions, strict=True))
    assert all(len(re.findall(rf"<(?:li|figcaption)>[^<]*: {text}", section)) == 1 for text in told)
    assert "more" not in section
