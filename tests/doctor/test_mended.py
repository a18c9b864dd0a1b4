"""What a mended copy holds, and when none is written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.doctor.checkup import examine
from pixelwise.errors import DataError
from pixelwise.jobs.check import check

Array = np.ndarray


def photo(seed: int, side: int = 128) -> Array:
    """A smooth picture of its own."""
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def object_at(seed: int, side: int = 128) -> Array:
    """A disc of True in False."""
    y, x = np.mgrid[:side, :side]
    return np.hypot(y - 40 - seed % 7 * 5, x - 50 - seed % 5 * 6) < 18 + seed % 4 * 5


def write_set(root: Path, masks: list[Array], suffix: str = ".png", images: list[Array] | None = None) -> Path:
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
def test_masks_of_0_and_255_that_are_all_jpeg_become_two_classes(tmp_path: Path, declared: str) -> None:
    truth = [object_at(number) for number in range(6)]
    root = write_set(tmp_path / "set", [mask.astype(np.uint8) * np.uint8(255) for mask in truth], ".jpg")
    if declared:
        (root / "classes.txt").write_text(declared)
    found, done = check(root, fix=tmp_path / "mended")
    assert "mask-lossy" in found.findings.ids()
    assert len(found.encoding.classes) == 2
    assert done
    assert done.kept == 6
    for name, labels in labels_of(tmp_path / "mended").items():
        assert set(np.unique(labels)) == {0, 1}
        assert float((labels != truth[int(name)]).mean()) < 0.001


@pytest.mark.parametrize("void", [False, True])
def test_ids_that_are_all_jpeg_are_not_mended_but_named(tmp_path: Path, void: bool) -> None:
    masks = []
    for number in range(6):
        mask = object_at(number).astype(np.uint8) * np.uint8(3) + np.uint8(5) * object_at(number + 3)
        mask[:20, :20] = 255 if void else 0
        masks.append(mask)
    root = write_set(tmp_path / "set", masks, ".jpg")
    assert "mask-lossy" in examine(root).findings.ids()
    with pytest.raises(DataError, match=r"every mask is JPEG.*export the masks as PNG"):
        check(root, fix=tmp_path / "mended")
    assert not (tmp_path / "mended").exists()
