import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

from pixelwise.classes import Classes
from pixelwise.errors import ImageError
from pixelwise.inference.join_chunks import join_row_chunks
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predict_raster import predict_raster
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tiling import RowChunk
from pixelwise.progress import Progress

CLASSES = Classes.named(("a", "b", "c"))
HEIGHT = 740
WIDTH = 300


def uneven(rgb: np.ndarray) -> np.ndarray:
    """Logits that depend on where in its tile a pixel lies, so that nothing but the same tiles
    gives the same.
    """
    place = np.arange(rgb.shape[-2])[:, None] * 0.037 + np.arange(rgb.shape[-1]) * 0.011
    return (rgb / 50 + np.sin(place)).astype(np.float32)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A georeferenced TIFF with patches, one in ten of them nodata."""
    rng = np.random.default_rng(0)
    path = tmp_path / "map.tif"
    patches = rng.integers(1, 256, (3, HEIGHT // 20, WIDTH // 20), dtype=np.uint8)
    patches *= rng.random(patches.shape[1:]) > 0.1
    profile = {
        "driver": "GTiff",
        "height": HEIGHT,
        "width": WIDTH,
        "count": 3,
        "dtype": "uint8",
        "nodata": 0,
    }
    profile |= {"crs": CRS.from_epsg(32633), "transform": from_origin(500000, 4600000, 0.5, 0.5)}
    with rasterio.open(path, "w", **profile) as target:
        target.write(patches.repeat(20, 1).repeat(20, 2))
    return path


class Said(Progress):
    def __init__(self) -> None:
        self.lines = list[str]()

    def log(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize("scores", ["probabilities", "logits"])
def test_joined_bands_are_the_files_of_one_process_byte_for_byte(
    source: Path, tmp_path: Path, scores: str
) -> None:
    predictor = Predictor(uneven, CLASSES, tile=(128, 160), overlap=0.3)
    choices = PredictOptions(confidence=True, extras=(scores, "seams", "polygons"))
    alone = Said()
    together = Said()
    expected = predict_raster(
        predictor, source, tmp_path / "alone", choices=choices, progress=alone
    )
    parts = [
        predict_raster(predictor, source, tmp_path / "parts", choices=choices, chunk=RowChunk(n, 5))
        for n in range(5)
    ]
    assert [path.name for path in parts] == [f"map.{n}-5.tif" for n in range(5)]
    assert not list((tmp_path / "parts").glob("*.geojson"))
    join_row_chunks(
        predictor, parts, tmp_path / "together/map.tif", choices=choices, progress=together
    )
    for name in ("map.tif", "map_confidence.tif", f"map_{scores}.tif", "map.geojson"):
        assert (tmp_path / "together" / name).read_bytes() == (
            expected.parent / name
        ).read_bytes(), name
    assert json.loads((tmp_path / "together/map.geojson").read_text())["features"]
    assert alone.lines[1:] == together.lines
    assert "map.tif: labels change between" in together.lines[0]


def test_bands_that_are_missing_or_broken_or_too_many_are_named_and_nothing_is_left(
    source: Path, tmp_path: Path
) -> None:
    predictor = Predictor(uneven, CLASSES, tile=(128, 160))
    parts = [
        predict_raster(predictor, source, tmp_path / "parts", chunk=RowChunk(n, 2))
        for n in range(2)
    ]
    cut = parts[1].read_bytes()
    parts[1].write_bytes(cut[: len(cut) // 2])
    with pytest.raises(ImageError, match=r"map\.1-2\.tif"):
        join_row_chunks(predictor, parts, tmp_path / "out/map.tif")
    parts[1].unlink()
    with pytest.raises(ImageError, match=r"map\.1-2\.tif"):
        join_row_chunks(predictor, parts, tmp_path / "out/map.tif")
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True
    with pytest.raises(ImageError, match=r"map\.tif: is smaller than it was"):
        predict_raster(predictor, source, tmp_path / "parts", chunk=RowChunk(0, 99))
