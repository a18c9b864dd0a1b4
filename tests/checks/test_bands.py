from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.examine import examine
from pixelwise.io.band_files import BandValues, write_bands

pytest.importorskip("rasterio")


def make(root: Path, **changed: np.ndarray) -> dict[str, list[str]]:
    """The texts of the findings of a set of six images of four bands, by type."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number in range(6):
        name = f"p{number}"
        values = rng.integers(300, 2000, (4, 48, 64)).astype(np.uint16)
        values = changed.get(name, values)
        names = ("red", "green", "blue", "nir", "fifth")[: len(values)]
        write_bands(root / "images" / f"{name}.tif", BandValues(values, None, names))
        mask = np.zeros((48, 64), np.uint8)
        mask[10:30, 10 + number : 40] = 1
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    texts = dict[str, list[str]]()
    for finding in examine(root).findings:
        texts[finding.id] = [issue.text for issue in finding.issues]
    return texts


def test_good_bands_are_said_and_nothing_is_wrong_with_them(tmp_path: Path) -> None:
    texts = make(tmp_path)
    assert len(texts["image-other-bands"]) == 6
    assert not [name for name in texts if name.startswith("band")]


def values(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(300, 2000, (4, 48, 64)).astype(np.uint16)


def test_each_fault_is_found(tmp_path: Path) -> None:
    constant = values()
    constant[2] = 7
    saturated = values()
    saturated[0] = np.minimum(saturated[0], 1500)
    nodata = values()
    nodata[3, :10] = 0
    texts = make(
        tmp_path,
        p0=constant,
        p1=saturated,
        p2=nodata,
        p3=values() * 20,
        p4=np.concatenate([values(), values()[:1]]),
    )
    assert texts["band-constant"] == ["blue is 7 everywhere"]
    (text,) = texts["band-saturated"]
    assert text.endswith("of red are 1500, the most there is")
    (text,) = texts["band-nodata"]
    assert text.startswith("21% of nir are 0, and the others 3")
    assert len([text for text in texts["band-range"] if "is 2" in text]) == 4, "of one image"
    (text,) = texts["bands-differ"]
    assert text.startswith("5 bands of uint16 (red, green, blue, nir, fifth), and most images 4")


LEVELS = np.array([1.0, 1.5, 0.7, 2.5])[:, None, None]


def levelled(seed: int) -> np.ndarray:
    """Values of bands that differ in their level, of scenes that differ in their light."""
    return (values(seed) * LEVELS * (1 + seed / 40)).astype(np.uint16)


def test_an_image_with_its_bands_in_another_order_is_found(tmp_path: Path) -> None:
    images = {f"p{number}": levelled(number) for number in range(6)}
    assert "band-order" not in make(tmp_path / "good", **images)
    images["p3"] = images["p3"][[2, 1, 0, 3]]
    (text,) = make(tmp_path / "swapped", **images)["band-order"]
    assert text == (
        "by their values its bands are blue, green, red, nir, and the others' red, green, blue, nir"
    )


def test_a_stretched_copy_is_found(tmp_path: Path) -> None:
    stretched = (values(1).astype(np.int64) - 300) * 20
    texts = make(tmp_path, p0=values(1), p4=stretched.astype(np.uint16))
    assert any(
        "p0.tif" in text for text in texts.get("image-near", []) + texts.get("image-twice", [])
    )
