"""Folders as users have them at their worst."""

import json
import os
import re
import shutil
from pathlib import Path

import clinic_faults as faults  # conftest.py has put it there
import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.check_dataset import check
from pixelwise.datasets.issues import printable_path
from pixelwise.errors import DataError


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


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        check(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no known layout"):
        check(tmp_path / "empty")


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


def test_the_page_of_a_clean_set_begins_with_samples_that_a_click_enlarges(
    clean: Path, tmp_path: Path
) -> None:
    check(clean, report=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    captions = re.findall(r"<figcaption>(images/.*?)</figcaption>", page)
    assert len(captions) == 4
    assert page.count('class="zoom"') >= 4
    assert page.index("data:image/jpeg") < page.index("Classes</h2>") < page.index("About</h2>")
