from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.band_statistics import find_channels, find_layout
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.raw_mask import read_raw
from pixelwise.errors import ImageError
from pixelwise.io.arrays import array_to_mask, array_to_photo, open_array
from pixelwise.io.channels import ReadingRule
from pixelwise.io.images import list_images, oriented_size, pixel_count, read_picture, read_rgb


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


def test_grey_and_rgb_of_8_bits_are_photos(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    for name, array, expected in (
        ("rgb", rgb, rgb),
        ("first", rgb.transpose(2, 0, 1), rgb),
        ("grey", rgb[..., 0], rgb[..., [0, 0, 0]]),
        ("one", rgb[..., :1], rgb[..., [0, 0, 0]]),
        ("bool", rgb[..., 0] > 99, np.repeat((rgb[..., :1] > 99) * np.uint8(255), 3, 2)),
    ):
        path = save(tmp_path / f"{name}.npy", array)
        assert np.array_equal(read_rgb(path), expected), name
        assert oriented_size(path) == (5, 7)
        assert pixel_count(path) == 35


def test_other_arrays_are_bands_and_no_photos(tmp_path: Path) -> None:
    for array in (np.ones((5, 7, 4), np.uint8), np.ones((5, 7), np.float32)):
        path = save(tmp_path / "a.npy", array)
        with pytest.raises(ImageError, match=r"is an array of . bands? of"):
            read_rgb(path)
    for broken, message in ((np.ones(4), "shape"), (np.ones((5, 5, 5)), "no axis is sure")):
        with pytest.raises(ImageError, match=message):
            open_array(save(tmp_path / "b.npy", broken))
    with pytest.raises(ImageError, match="1 band of uint16"):
        array_to_photo(save(tmp_path / "c.npy", np.ones((5, 7), np.uint16)))


def test_masks_may_be_arrays_of_any_whole_numbers(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 2], [255, 1, 0]])
    for kind in (np.uint8, np.int64, np.uint16, np.float64):
        assert np.array_equal(read_raw(save(tmp_path / "a.npy", ids.astype(kind))).values, ids)
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[0] = 10, 20, 30
    assert read_raw(save(tmp_path / "b.npy", colours)).values[0, 0] == 10 << 16 | 20 << 8 | 30
    assert array_to_mask(save(tmp_path / "c.npy", ids == 1)).getextrema() == (0, 1)
    with pytest.raises(ImageError, match="save class ids"):
        read_raw(save(tmp_path / "d.npy", np.full((4, 6), 2**40)))
    with pytest.raises(ImageError, match="4 bands of uint8"):
        read_raw(save(tmp_path / "e.npy", np.zeros((5, 6, 4), np.uint8)))


def test_a_set_of_arrays_is_a_data_set_whose_nan_is_void(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(4):
        values = rng.normal(500, 90, (40, 48, 4)).astype(np.float32)
        values[:6, :6, 1] = np.nan
        save(tmp_path / f"images/{number}.npy", values)
        save(tmp_path / f"masks/{number}.npy", rng.integers(0, 3, (40, 48)))
    dataset = open_dataset(tmp_path)
    pairs = dataset.pairs("train")
    assert pairs
    layout = find_layout(pairs)
    assert layout is not None
    rule = ReadingRule(channels=find_channels(pairs, layout))
    picture = read_picture(pairs[0].image, rule)
    assert picture.pixels.shape == (40, 48, 4)
    assert picture.valid is not None
    assert (~picture.valid).sum() == 36
    assert set(np.unique(dataset.read_labels(pairs[0].mask))) == {0, 1, 2}


def test_an_array_beside_a_photo_of_its_name_is_left_aside(tmp_path: Path) -> None:
    Image.new("RGB", (9, 8)).save(tmp_path / "a.png")
    save(tmp_path / "a.npy", np.ones((8, 9)))
    assert [path.name for path in list_images(tmp_path)] == ["a.png"]
