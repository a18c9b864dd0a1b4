from pathlib import Path

import numpy as np
import pytest

from pixelwise.datasets.stack_bands import parse_bands, stack
from pixelwise.errors import ConfigError, DataError, OutputError
from pixelwise.io.band_files import read_bands
from pixelwise.io.gdal import quiet_rasterio

rasterio = pytest.importorskip("rasterio")
BANDS = ["red={stem}_B04.tif,nir=far/{stem}_B08.tif"]


def write(path: Path, values: np.ndarray, pixel: float = 10.0, east: float = 0.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    quiet_rasterio()
    profile = {"crs": "EPSG:32633", "nodata": 0} if pixel else {}
    if pixel:
        origin = rasterio.transform.from_origin(500_000 + east, 5_000_000, pixel, pixel)
        profile["transform"] = origin
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=1, width=width, height=height,
        dtype=values.dtype.name, **profile,
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)


def test_a_scene_is_a_file_of_the_finest_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    fine = rng.integers(1, 900, (600, 40)).astype(np.uint16)
    fine[0, 0] = 0
    coarse = rng.integers(1, 900, (300, 20)).astype(np.int16)
    for stem in ("a", "b"):
        write(tmp_path / f"scenes/{stem}_B04.tif", fine)
        write(tmp_path / f"scenes/far/{stem}_B08.tif", coarse, pixel=20)
    stacked = stack(tmp_path / "scenes", tmp_path / "out", bands=BANDS)
    assert [path.name for path in stacked.files] == ["a.tif", "b.tif"]
    bands = read_bands(tmp_path / "out/a.tif")
    assert bands.names == ("red", "nir") == stacked.names
    assert bands.values.dtype == np.int32
    assert np.array_equal(bands.values[0], fine)
    assert bands.valid is not None
    assert np.argwhere(~bands.valid).tolist() == [[0, 0, 0], [1, 0, 0]]
    inner = bands.values[1].reshape(300, 2, 20, 2).mean((1, 3))[2:-2, 2:-2]
    smooth = coarse.astype(float)[2:-2, 2:-2]
    assert np.corrcoef(inner.ravel(), smooth.ravel())[0, 1] > 0.9
    with rasterio.open(tmp_path / "out/a.tif") as dataset:
        assert dataset.crs.to_epsg() == 32633
        assert dataset.transform.a == 10
    with pytest.raises(OutputError, match="exists already"):
        stack(tmp_path / "scenes", tmp_path / "out", bands=BANDS)


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    values = np.ones((20, 20), np.uint8)
    scenes = tmp_path / "scenes"
    write(scenes / "a_B04.tif", values)
    with pytest.raises(DataError, match=r"1 of 1 scenes lack bands: a \(nir\)"):
        stack(scenes, tmp_path / "out", bands=BANDS)
    write(scenes / "far/a_B08.tif", values, east=500)
    with pytest.raises(DataError, match=r"do not cover the same ground .*up to 500 apart"):
        stack(scenes, tmp_path / "out", bands=BANDS)
    assert not (tmp_path / "out").exists()
    write(scenes / "a_B04.tif", values, pixel=0)
    with pytest.raises(DataError, match="are in different coordinates"):
        stack(scenes, tmp_path / "out", bands=BANDS)
    write(scenes / "far/a_B08.tif", np.ones((15, 20), np.uint8), pixel=0)
    with pytest.raises(DataError, match="give files of one size, or of a whole part"):
        stack(scenes, tmp_path / "out", bands=BANDS)
    with pytest.raises(DataError, match="holds no file called"):
        stack(scenes, tmp_path / "out", bands={"red": "{stem}_B4.tif"})
    with pytest.raises(DataError, match="no such folder"):
        stack(tmp_path / "nowhere", tmp_path / "out", bands=BANDS)


@pytest.mark.parametrize(
    ("bands", "text"),
    [
        ([], "give the bands"),
        (["red"], "give NAME=PATTERN"),
        (["red=B04.tif"], "with {stem} in it once"),
        (["={stem}.tif"], "with {stem} in it once"),
        (["red={stem}_4.tif,Red={stem}_5.tif"], "band red is given twice"),
    ],
)
def test_patterns_that_cannot_be_are_refused(bands: list[str], text: str) -> None:
    with pytest.raises(ConfigError, match=text.replace("{", r"\{").replace("}", r"\}")):
        parse_bands(bands)


def test_patterns_keep_their_order() -> None:
    assert list(parse_bands(["nir={stem}_8.tif", "Red={stem}_4.tif"])) == ["nir", "red"]
    with pytest.raises(ConfigError, match="belongs to the file's name"):
        stack(Path(__file__).parent, "out", bands={"red": "{stem}/B04.tif"})
