"""Findings about images and sizes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_pictures import object_at, write_set

from pixelwise.checks.check_dataset import check
from pixelwise.errors import OutputError


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


def sentences(root: Path) -> dict[str, str]:
    """What `check` says of the first picture of each issue of images."""
    result, _ = check(root)
    return {
        finding.id: finding.issues[0].text
        for finding in result.findings
        if finding.id.startswith("image-")
    }


def test_exposures_of_one_camera_are_read_and_named_by_one_depth(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [object_at(seed).astype(np.uint8) for seed in range(4)])
    for number, highest in enumerate((950, 1100, 1200, 990)):
        path = root / f"images/{number:03}.png"
        grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16)
        Image.fromarray((grey * (highest / grey.max())).astype(np.uint16)).save(path)
    said = sentences(root)
    assert set(said) == {"image-deep"}, "neither blank nor a mask"
    assert said["image-deep"] == "of 16 bits with values to 950, scaled from 12 bits"


def test_transparent_parts_are_named_and_the_copy_has_them_on_white(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [object_at(seed).astype(np.uint8) for seed in range(3)])
    path = root / "images/001.png"
    rgb = np.asarray(Image.open(path))
    alpha = np.where(np.arange(128) < 40, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([rgb, np.broadcast_to(alpha, (128, 128))])).save(path)
    assert sentences(root) == {"image-transparent": "with transparent parts, put on white"}
    check(root, fix=tmp_path / "copy")
    assert "image-transparent" not in sentences(tmp_path / "copy")
    (mended,) = (tmp_path / "copy/images").rglob("001.png")
    with Image.open(mended) as image:
        pixels = np.asarray(image)
    assert (pixels[:, :40] == 255).all()
    assert np.array_equal(pixels[:, 40:], rgb[:, 40:])


def test_an_alpha_that_is_opaque_is_no_finding(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [object_at(seed).astype(np.uint8) for seed in range(3)])
    path = root / "images/001.png"
    Image.open(path).convert("RGBA").save(path)
    assert sentences(root) == {}
