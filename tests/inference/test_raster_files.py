from pathlib import Path

import numpy as np
import pytest

from pixelwise.inference.raster_files import make_cloud_optimised
from pixelwise.io.gdal import quiet_rasterio


def test_masks_are_cloud_optimised_with_copies_where_they_are_larger_than_a_block(
    tmp_path: Path,
) -> None:
    rasterio = pytest.importorskip("rasterio")
    quiet_rasterio()
    labels = np.zeros((700, 1300), np.uint8)
    labels[100:400, 200:900] = 3
    for name, part in (("large", labels), ("small", labels[:300, :300])):
        path = tmp_path / f"{name}.tif"
        height, width = part.shape
        with rasterio.open(
            path, "w", driver="GTiff", width=width, height=height, count=1, dtype="uint8"
        ) as dataset:
            dataset.write(part, 1)
        make_cloud_optimised(path, path)
    with rasterio.open(tmp_path / "large.tif") as dataset:
        assert dataset.overviews(1) == [2]
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert np.array_equal(dataset.read(1), labels)
        half = dataset.read(1, out_shape=(350, 650))
        assert set(np.unique(half)) == {0, 3}
    with rasterio.open(tmp_path / "small.tif") as dataset:
        assert dataset.overviews(1) == []
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert {path.name for path in tmp_path.iterdir()} == {"large.tif", "small.tif"}
