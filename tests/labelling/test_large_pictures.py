from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import OutputError
from pixelwise.inference import raster as raster_module
from pixelwise.io.gdal import quiet_rasterio
from pixelwise.labelling import large_pictures
from pixelwise.labelling.large_pictures import cut_large
from pixelwise.labelling.photos import read_photo
from pixelwise.labelling.project_folder import open_project
from pixelwise.progress import Progress

pytest.importorskip("rasterio")


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (large_pictures, raster_module):
        monkeypatch.setattr(module, "MAX_PIXELS", 10_000)
    monkeypatch.setattr(large_pictures, "PART_SIDE", 100)
    monkeypatch.setattr(large_pictures, "_STRIP", 16)


def write_ortho(path: Path, values: np.ndarray) -> None:
    rasterio = quiet_rasterio()
    count, height, width = values.shape
    place = rasterio.transform.from_origin(500_000, 5_400_000, 0.5, 0.5)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", width=width, height=height, count=count,
            dtype=values.dtype, crs="EPSG:32633", transform=place, photometric="minisblack",
        ) as dataset,
    ):  # fmt: skip
        dataset.write(values)
        dataset.set_band_description(4, "nir")
        dataset.write_mask(values[0] > 0)


def test_the_parts_are_the_raster(tmp_path: Path) -> None:
    rasterio = quiet_rasterio()
    values = np.random.default_rng(0).integers(0, 4096, (4, 150, 230)).astype(np.uint16)
    write_ortho(tmp_path / "ortho.tif", values)
    parts = cut_large([("ortho.tif", tmp_path / "ortho.tif")], tmp_path / "parts", Progress())
    names = [f"ortho_{row}_{column}.tif" for row in (1, 2) for column in (1, 2, 3)]
    assert [part.name for part in parts] == names
    covered = 0
    with rasterio.open(tmp_path / "ortho.tif") as whole:
        for part in parts:
            with rasterio.open(part) as dataset:
                assert max(dataset.shape) <= 100
                covered += dataset.width * dataset.height
                assert (dataset.crs, dataset.dtypes) == (whole.crs, whole.dtypes)
                assert dataset.descriptions == whole.descriptions
                window = whole.window(*dataset.bounds)
                assert np.array_equal(dataset.read(), whole.read(window=window))
                mask = whole.dataset_mask(window=window)
                assert np.array_equal(dataset.dataset_mask(), mask)
    assert covered == 150 * 230


def test_a_photo_is_cut_once_and_anew_when_it_has_changed(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (130, 90, 3)).astype(np.uint8)
    photo = tmp_path / "wide.png"
    Image.fromarray(rgb).save(photo)
    small = tmp_path / "small.png"
    Image.fromarray(rgb[:50]).save(small)
    pictures = [("wide.png", photo), ("small.png", small)]
    first, second, other = cut_large(pictures, tmp_path / "parts", Progress())
    assert other == small
    joined = np.concatenate([read_photo(part).levels[0] for part in (first, second)])
    assert np.array_equal(joined, rgb)
    written = first.stat().st_mtime_ns
    cut_large(pictures, tmp_path / "parts", Progress())
    assert first.stat().st_mtime_ns == written
    Image.fromarray(255 - rgb).save(photo)
    cut_large(pictures, tmp_path / "parts", Progress())
    assert np.array_equal(read_photo(first).levels[0], 255 - rgb[:65])


def test_a_project_has_the_parts_for_photos(tmp_path: Path) -> None:
    write_ortho(tmp_path / "ortho.tif", np.full((4, 120, 150), 700, np.uint16))
    folder = tmp_path / "project"
    with open_project([tmp_path / "ortho.tif"], classes="field,road", out=folder) as session:
        names = session.photos.names
        assert names == [f"ortho_{row}_{column}.tif" for row in (1, 2) for column in (1, 2)]
        assert session.photos.paths[names[0]] == folder / "parts/ortho/ortho_1_1.tif"
    with open_project([folder], classes=None) as session:
        assert session.photos.names == names


def test_a_file_that_breaks_off_stays_and_a_place_without_room_is_named(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(1, 4096, (4, 150, 230)).astype(np.uint16)
    write_ortho(tmp_path / "ortho.tif", values)
    (tmp_path / "parts").write_bytes(b"")
    with pytest.raises(OutputError, match="parts"):
        cut_large([("ortho.tif", tmp_path / "ortho.tif")], tmp_path / "parts", Progress())
    (tmp_path / "parts").unlink()
    whole = (tmp_path / "ortho.tif").read_bytes()
    (tmp_path / "ortho.tif").write_bytes(whole[: len(whole) // 2])
    paths = cut_large([("ortho.tif", tmp_path / "ortho.tif")], tmp_path / "parts", Progress())
    assert paths == [tmp_path / "ortho.tif"]
    with pytest.raises(OSError, match="No such file"):
        (tmp_path / "parts/ortho/source.json").stat()
