from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError, ImageError
from pixelwise.io.band_files import BandValues, write_bands

pytest.importorskip("rasterio")

OPTIONS = DataOptions(hold_out=False, multilabel=True)
BANDS = np.array([[[0, 1, 1]], [[0, 0, 1]]], np.uint8)


def data(root: Path, bands: np.ndarray = BANDS, names: tuple[str, ...] = ("", "")) -> Path:
    for folder in ("images", "masks"):
        (root / folder).mkdir(exist_ok=True)
    for name in "xy":
        Image.new("RGB", (3, 1)).save(root / f"images/{name}.png")
        write_bands(root / f"masks/{name}.tif", BandValues(bands, None, names))
    return root


@pytest.mark.parametrize("value", [1, 255])
def test_each_band_is_a_class_as_it_is_called(tmp_path: Path, value: int) -> None:
    root = data(tmp_path, BANDS * np.uint8(value), ("cat", "dog"))
    opened = open_dataset(root, OPTIONS, layers=True)
    assert opened.classes.names == ("cat", "dog")
    (pair, _) = opened.pairs("train")
    assert opened.read_labels(pair.mask).tolist() == BANDS.tolist()


@pytest.mark.parametrize("lines", ["cat\ndog\n", "background\ncat\ndog\n"])
def test_a_classes_file_names_the_bands(tmp_path: Path, lines: str) -> None:
    (tmp_path / "classes.txt").write_text(lines)
    assert open_dataset(data(tmp_path), OPTIONS, layers=True).classes.names == ("cat", "dog")


def test_bands_without_names_are_numbered(tmp_path: Path) -> None:
    names = open_dataset(data(tmp_path), OPTIONS, layers=True).classes.names
    assert names == ("class 1", "class 2")


def test_a_list_of_another_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("cat\ndog\nbird\n")
    with pytest.raises(DataError, match=r"lists 3 classes .*has 2 bands"):
        open_dataset(data(tmp_path), OPTIONS, layers=True)


def test_bands_of_several_values_and_of_another_number_are_refused(tmp_path: Path) -> None:
    opened = open_dataset(data(tmp_path), OPTIONS, layers=True)
    ids = np.array([[[0, 1, 2]], [[0, 0, 1]]], np.uint8)
    (pair, other) = opened.pairs("train")
    write_bands(pair.mask, BandValues(ids, None, ("", "")))
    with pytest.raises(ImageError, match="band 1 holds 2 values besides 0"):
        opened.read_labels(pair.mask)
    write_bands(other.mask, BandValues(np.repeat(ids, 2, axis=0), None, ("",) * 4))
    with pytest.raises(ImageError, match="has 4 bands, but there are 2 classes"):
        opened.read_labels(other.mask)
