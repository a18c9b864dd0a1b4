import shutil
from pathlib import Path
from typing import Any


def test_check_tells_errors_by_its_status_and_mends_a_copy(
    pixelwise: Any, shapes: Path, tmp_path: Path
) -> None:
    clean = pixelwise("check", shapes)
    assert clean.returncode == 0
    assert f"Next: pixelwise train {shapes}" in clean.stderr
    shutil.copytree(shapes, tmp_path / "set")
    (tmp_path / "set/masks/train/000.png").write_bytes(b"")
    found = pixelwise(
        "check",
        tmp_path / "set",
        "--json",
        tmp_path / "found.json",
        "--report",
        tmp_path / "page.html",
    )
    assert found.returncode == 1
    copy = tmp_path / "set-repaired"
    assert f"Next: pixelwise check {tmp_path / 'set'} --fix {copy}" in found.stderr
    assert "mask-unreadable" in found.stdout
    assert "masks/train/000.png: cannot be read as an image (the file is empty)" in found.stdout
    assert (tmp_path / "page.html").stat().st_size > 1000
    mended = pixelwise("check", tmp_path / "set", "--fix", tmp_path / "mended")
    assert mended.returncode == 1
    assert "1 files were left out" in mended.stderr
    assert pixelwise("check", tmp_path / "mended").returncode == 0


def test_check_refuses_what_is_no_data_set_in_one_line(
    pixelwise: Any, tmp_path: Path, refused: Any
) -> None:
    refused(pixelwise("check", tmp_path / "none"), "no such folder")
    refused(pixelwise("check", tmp_path, "--format", "tiff"), "unknown format 'tiff'")
