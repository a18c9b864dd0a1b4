import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.inference import object_strips
from pixelwise.inference.object_masks import map_path
from pixelwise.inference.objects import (
    COLUMNS,
    COUNT_COLUMNS,
    PIXELS,
    ObjectRules,
    find_thin,
    write_objects,
)
from pixelwise.inference.pixel_size import PixelSize
from pixelwise.io.images import write_labels
from pixelwise.metrics.count_interval import CountInterval

NAMES = ("background", "cell", "debris")
SPLIT = ObjectRules(split=True)
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
    assert write_objects(mask.parent, [mask], NAMES) == "cell 2, debris 1"
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
    write_objects(mask.parent, [mask], NAMES, ObjectRules(PixelSize(0.5, "um")))
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
    assert write_objects(tmp_path, [tmp_path / "a.png"], NAMES) == "cell 2"
    assert write_objects(tmp_path, [tmp_path / "a.png"], NAMES, SPLIT) == "cell 4"
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
    write_objects(mask.parent, [mask], NAMES)
    write_objects(mask.parent, [other], NAMES)
    assert [row["mask"] for row in rows_of(table)] == ["a.png"] * 3 + ["b.png"]
    write_objects(mask.parent, [mask], NAMES)
    assert [row["mask"] for row in rows_of(table)] == ["b.png"] + ["a.png"] * 3


def test_numbers_of_each_mask_have_a_table(mask: Path) -> None:
    write_labels(mask.with_name("b.png"), discs(), PALETTE)
    write_objects(mask.parent, [mask, mask.with_name("b.png")], NAMES)
    rows = rows_of(mask.with_name("object_counts.csv"))
    assert tuple(rows[0]) == COUNT_COLUMNS
    counts = [(row["mask"], row["class"], row["objects"]) for row in rows]
    assert counts == [
        ("a.png", "cell", "2"),
        ("a.png", "debris", "1"),
        ("b.png", "cell", "0"),
        ("b.png", "debris", "0"),
    ]


def test_thin_objects_have_a_length_and_a_width(tmp_path: Path) -> None:
    """A disc and a bar of another class beside it have none; a thin class is not parted."""
    pytest.importorskip("skimage")
    labels = discs((20, 20))
    labels[50:55, 10:80] = 2
    write_labels(tmp_path / "a.png", labels, PALETTE)
    rules = ObjectRules(PixelSize(0.5, "mm"), split=True, thin=("debris",))
    write_objects(tmp_path, [tmp_path / "a.png"], NAMES, rules)
    disc, bar = sorted(rows_of(tmp_path / "objects.csv"), key=lambda row: row["class"])
    assert disc["length"] == disc["width"] == ""
    assert float(bar["length"]) == pytest.approx(35, rel=0.04)
    assert float(bar["width"]) == pytest.approx(2.5, rel=0.04)


def test_an_unknown_thin_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="crack"):
        find_thin(NAMES, ("crack",))


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
    monkeypatch.setattr(object_strips, "ROWS", 7)
    write_objects(tmp_path, [tmp_path / "a.png", tmp_path / "b.tif"], NAMES)
    rows = rows_of(tmp_path / "objects.csv")
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


def test_totals_have_the_interval_of_the_scores(mask: Path) -> None:
    interval = CountInterval(np.array([2, 4, 6, 8, 9]), np.array([2, 4, 5, 8, 10]))
    rules = ObjectRules(PIXELS, intervals={"cell": interval})
    low, high = interval.of(np.array([2]))
    line = write_objects(mask.parent, [mask], NAMES, rules)
    assert line == f"cell 2 (95 %: {low} to {high}), debris 1"
    cell, debris = rows_of(mask.with_name("object_counts.csv"))
    assert (cell["low"], cell["high"]) == (str(low), str(high))
    assert debris["low"] == ""
