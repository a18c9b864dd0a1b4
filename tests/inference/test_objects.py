import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import ImageError
from pixelwise.inference import objects as module
from pixelwise.inference.objects import COLUMNS, describe_objects, map_path, write_objects
from pixelwise.inference.pixel_size import PixelSize
from pixelwise.io.images import write_labels

NAMES = ("background", "cell", "debris")
PALETTE = ((0, 0, 0), (255, 0, 0), (0, 255, 0))


def discs(*centres: tuple[int, int], radius: int = 10) -> np.ndarray:
    y, x = np.mgrid[:64, :96]
    labels = np.zeros((64, 96), np.uint8)
    for row, column in centres:
        labels[np.hypot(y - row, x - column) <= radius] = 1
    return labels


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    labels = discs((20, 20), (40, 70))
    labels[:3, -5:] = 2
    labels[60:, :4] = 255
    write_labels(tmp_path / "a.png", labels, PALETTE)
    return tmp_path / "a.png"


def test_each_object_is_a_line_and_a_number_of_the_map(mask: Path) -> None:
    table = mask.with_name("objects.csv")
    found = write_objects(table, [mask], NAMES)
    assert describe_objects(found) == "cell 2, debris 1"
    rows = rows_of(table)
    assert tuple(rows[0]) == COLUMNS
    ids = np.asarray(Image.open(map_path(mask)))
    labels = np.asarray(Image.open(mask))
    assert ids.dtype == np.uint16
    assert len(rows) == ids.max() == 3
    # neither ground nor void is an object
    assert not ids[(labels == 0) | (labels == 255)].any()
    for row in rows:
        own = ids == int(row["object"])
        assert own.sum() == int(row["pixels"])
        assert NAMES[labels[own][0]] == row["class"]
        assert row["unit"] == "px"
        assert row["confidence"] == row["square_metres"] == ""
    by_class = {row["class"]: row for row in rows}
    assert by_class["debris"]["touches_border"] == "yes"
    assert by_class["cell"]["touches_border"] == "no"


def test_lengths_have_the_unit_and_confidence_is_that_beside_the_mask(mask: Path) -> None:
    sure = np.full((64, 96), 255, np.uint8)
    sure[:, :48] = 51
    Image.fromarray(sure).save(mask.with_name("a_confidence.png"))
    table = mask.with_name("objects.csv")
    write_objects(table, [mask], NAMES, size=PixelSize(0.5, "um"))
    left, right = (row for row in rows_of(table) if row["class"] == "cell")
    assert float(left["area"]) == pytest.approx(0.25 * int(left["pixels"]), rel=1e-4)
    assert float(left["perimeter"]) == pytest.approx(0.5 * 2 * np.pi * 10, rel=0.05)
    assert float(left["major_axis"]) == pytest.approx(10, rel=0.05)
    assert left["unit"] == "um"
    assert (float(left["row"]), float(left["column"])) == (20, 20)
    assert float(left["confidence"]) == pytest.approx(0.2)
    assert float(right["confidence"]) == 1


def test_discs_that_touch_are_one_object_and_parted_where_asked(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    labels = discs((20, 20), (20, 36), (20, 52), (50, 80))
    write_labels(tmp_path / "a.png", labels, PALETTE)
    table = tmp_path / "objects.csv"
    assert write_objects(table, [tmp_path / "a.png"], NAMES)["cell"] == 2
    assert write_objects(table, [tmp_path / "a.png"], NAMES, split=True)["cell"] == 4
    rows = rows_of(table)
    assert sum(int(row["pixels"]) for row in rows) == (labels == 1).sum()
    centres = sorted((float(row["row"]), float(row["column"])) for row in rows)
    for own, true in zip(centres, [(20, 20), (20, 36), (20, 52), (50, 80)], strict=True):
        assert np.hypot(own[0] - true[0], own[1] - true[1]) < 2.5
    ids = np.asarray(Image.open(map_path(tmp_path / "a.png")))
    assert ids[20, 20] != ids[20, 36]


def test_rows_of_other_masks_stay(mask: Path) -> None:
    other = mask.with_name("b.png")
    write_labels(other, discs((30, 30)), PALETTE)
    table = mask.with_name("objects.csv")
    write_objects(table, [mask], NAMES)
    write_objects(table, [other], NAMES)
    assert [row["mask"] for row in rows_of(table)] == ["a.png"] * 3 + ["b.png"]
    write_objects(table, [mask], NAMES)
    assert [row["mask"] for row in rows_of(table)] == ["b.png"] + ["a.png"] * 3


def test_more_objects_than_a_png_can_number_are_refused(
    mask: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_IN_PNG", 2)
    table = mask.with_name("objects.csv")
    with pytest.raises(ImageError, match="3 objects are more than"):
        write_objects(table, [mask], NAMES)
    assert not table.exists()
    assert not map_path(mask).exists()


def test_a_raster_is_measured_in_strips_as_the_picture_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object that crosses strips is one; on the earth there are square metres."""
    rasterio = pytest.importorskip("rasterio")
    labels = discs((20, 20), (40, 70))
    labels[:, 48] = 2
    write_labels(tmp_path / "a.png", labels, PALETTE)
    transform = rasterio.transform.from_origin(500_000, 5_500_000, 0.5, 0.5)
    profile = {"driver": "GTiff", "height": 64, "width": 96, "count": 1, "dtype": "uint8"}
    place = {"crs": "EPSG:32632", "transform": transform}
    with rasterio.open(tmp_path / "b.tif", "w", **profile, **place) as target:
        target.write(labels, 1)
    monkeypatch.setattr(module, "_ROWS", 7)
    table = tmp_path / "objects.csv"
    write_objects(table, [tmp_path / "a.png", tmp_path / "b.tif"], NAMES)
    rows = rows_of(table)
    plain = [row for row in rows if row["mask"] == "a.png"]
    raster = [row for row in rows if row["mask"] == "b.tif"]
    assert len(plain) == len(raster) == 3
    for row, other in zip(plain, raster, strict=True):
        for name in set(COLUMNS) - {"mask", "square_metres"}:
            assert row[name] == other[name]
        assert float(other["square_metres"]) == pytest.approx(0.25 * int(row["pixels"]), rel=3e-3)
    with rasterio.open(tmp_path / "b_objects.tif") as dataset:
        np.testing.assert_array_equal(
            dataset.read(1), np.asarray(Image.open(tmp_path / "a_objects.png"))
        )
        assert dataset.crs == place["crs"]
        assert dataset.transform == transform


def test_splitting_a_raster_too_large_is_refused(
    mask: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PIXELS", 100)
    with pytest.raises(ImageError, match="leave out --split-touching"):
        write_objects(mask.with_name("objects.csv"), [mask], NAMES, split=True)
