from pathlib import Path

import numpy as np
import pytest

from pixelwise.classes import Classes
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predict_raster import plan_tiles
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.raster import open_raster
from pixelwise.inference.raster_memory import MemoryNeed, find_need
from pixelwise.inference.threads import WORKERS
from pixelwise.palette import default_palette

rasterio = pytest.importorskip("rasterio")
MIB = 2**20


def write(path: Path, side: int) -> Path:
    place = rasterio.transform.from_origin(5e5, 5e6, 1, 1)
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=3, dtype="uint8",
        crs="EPSG:32633", transform=place,
    ) as dataset:  # fmt: skip
        dataset.write(np.full((3, side, side), 7, np.uint8))
    return path


def make_predictor(calls: list[tuple[int, ...]]) -> Predictor:
    def run(rgb: np.ndarray) -> np.ndarray:
        calls.append(rgb.shape)
        np.ones(100 * MIB, np.uint8)
        return np.zeros((1, 2, *rgb.shape[2:]), np.float32)

    names = ("a", "b")
    return Predictor(run, Classes(names, default_palette(names)), tile=(32, 32), overlap=0.0)


def need(predictor: Predictor, path: Path) -> MemoryNeed:
    choices = PredictOptions()
    with open_raster(path) as picture:
        plan, planned = plan_tiles(predictor, picture.height, picture.width, choices)
        found = find_need(predictor, picture, plan, choices, planned=planned, waiting=MIB)
        return found[1]


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells")
def test_the_network_is_measured_once_where_there_are_many_tiles(tmp_path: Path) -> None:
    calls = list[tuple[int, ...]]()
    predictor = make_predictor(calls)
    path = write(tmp_path / "a.tif", 192)
    network = need(predictor, path).network
    assert network is not None
    assert network > WORKERS * 90 * MIB, "what the tiles in work take"
    assert calls == [(1, 3, 32, 32)]
    calls.clear()
    assert need(predictor, path).network == network
    assert not calls


def test_few_tiles_are_not_worth_a_measurement(tmp_path: Path) -> None:
    calls = list[tuple[int, ...]]()
    known = need(make_predictor(calls), write(tmp_path / "a.tif", 96))
    assert known.network is None
    assert not calls
    assert "beside what the network takes" in str(known)


def test_the_line_has_the_sum_of_its_parts() -> None:
    known = MemoryNeed(3 * MIB, 20 * MIB, 90 * MIB, 7 * MIB)
    assert known.total == 140 * MIB
    assert str(known) == (
        "up to 140 MiB are needed beyond what is held now: sums of logits and rows 3, GDAL's cache "
        "20, what is read and written 90, the network 7 as measured, gaps in the heap 20"
    )
