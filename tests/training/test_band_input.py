import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise
from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.io.band_files import BandValues, write_bands
from pixelwise.io.channels import Channels
from pixelwise.io.gdal import quiet_rasterio
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter
from pixelwise.training.band_input import (
    describe_channels,
    find_dataset_channels,
    fit_to_channels,
    match_start,
)
from pixelwise.training.recipes import make_config

rasterio = pytest.importorskip("rasterio")


@pytest.fixture(scope="module")
def bands(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shapes in five bands of 16 bits, of which the first is noise, with a hole."""
    root = tmp_path_factory.mktemp("bands") / "data"
    shutil.copytree(shapes, root)
    rng = np.random.default_rng(0)
    for path in root.glob("images/*/*"):
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        noise = rng.integers(1, 900, (1, *rgb.shape[1:]))
        values = np.concatenate([noise, 700 + 9 * rgb.astype(int), noise + 50])
        valid = np.ones(values.shape, bool)
        valid[:, :8, :8] = False
        values[~valid] = 0
        path.unlink()
        names = ("noise", "red", "green", "blue", "")
        bands = BandValues(values.astype(np.uint16), valid, names)
        write_bands(path.with_suffix(".tif"), bands)
    return root


@pytest.fixture(scope="module")
def run(bands: Path, quick: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "run"
    pixelwise.train(bands, path, epochs=2, **{**quick, "bands": "blue,noise,2,green"})
    return path


def test_bands_travel_with_the_model(run: Path, bands: Path) -> None:
    predictor = pixelwise.load(run)
    channels = predictor.rule.channels
    assert channels is not None
    assert channels.names == ("blue", "noise", "red", "green")
    assert channels.bands == (4, 1, 2, 3)
    assert channels.count == 5
    image = next((bands / "images/val").iterdir())
    result = predictor.predict(image)
    assert (result.labels[:8, :8] == VOID).all()
    assert (result.labels[10:] != VOID).all()
    assert result.confidence[0, 0] == 0
    assert result.rgb.shape == (64, 96, 3)


def test_values_in_memory_are_read_as_those_of_a_file(run: Path, bands: Path) -> None:
    predictor = pixelwise.load(run)
    image = next((bands / "images/val").iterdir())
    quiet_rasterio()
    with rasterio.open(image) as dataset:
        values = dataset.read().transpose(1, 2, 0).astype(np.float32)
        values[dataset.dataset_mask() == 0] = np.nan
    from_file = predictor.predict(image)
    in_memory = predictor.predict(values)
    assert np.array_equal(from_file.labels, in_memory.labels)
    with pytest.raises(ImageError, match=r"of shape \(5,\): give a path, or an array \(height"):
        predictor.predict(np.zeros(5))


def test_holes_count_nowhere(run: Path, bands: Path) -> None:
    scores = pixelwise.evaluate(run, bands, split="val")
    assert scores.scores.void_fraction == pytest.approx(64 / (64 * 96), rel=0.2)
    assert scores.scores.mean_iou > 0


def test_a_placed_raster_is_read_by_window_alike(run: Path, bands: Path, tmp_path: Path) -> None:
    image = next((bands / "images/val").iterdir())
    placed = tmp_path / "placed.tif"
    quiet_rasterio()
    with rasterio.open(image) as source:
        profile = {**source.profile, "nodata": 0, "crs": "EPSG:32633"}
        profile["transform"] = rasterio.transform.from_origin(500_000, 5_500_000, 1, 1)
        quiet_rasterio()
        with rasterio.open(placed, "w", **profile) as target:
            target.write(source.read())
            for number, name in enumerate(source.descriptions, 1):
                if name:
                    target.set_band_description(number, name)
    pixelwise.predict(run, [placed], out=tmp_path / "out")
    with rasterio.open(tmp_path / "out/placed.tif") as mask:
        labels = mask.read(1)
    assert np.array_equal(labels, pixelwise.load(run).predict(image).labels)


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_exports_carry_the_bands(run: Path, bands: Path, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("openvino" if suffix == ".xml" else "onnxruntime")
    target = tmp_path / f"model{suffix}"
    pixelwise.export_model(run, target)
    image = next((bands / "images/val").iterdir())
    model = pixelwise.load(target)
    assert model.rule == pixelwise.load(run).rule
    agreement = model.predict(image).labels == pixelwise.load(run).predict(image).labels
    assert agreement.mean() > 0.99


def test_the_plan_is_said(
    bands: Path, tmp_path: Path, quick: dict[str, Any], recorded: Callable[[], Any]
) -> None:
    dataset = open_dataset(bands)
    channels = find_dataset_channels(dataset, make_config("default", **quick))
    assert channels is not None
    text = describe_channels(channels)
    assert text.startswith("bands: 5 bands of uint16, by all but 1 per mille of the values")
    assert "band 5 51 to 949" in text
    config = make_config("default", **{**quick, "bands": "nir"})
    with pytest.raises(ConfigError, match="no band 'nir'; they have 5: noise, red, green, blue"):
        find_dataset_channels(dataset, config)
    with pytest.raises(ConfigError, match="choose percentile"):
        find_dataset_channels(dataset, make_config("default", **{**quick, "value_range": "all"}))


def test_photos_need_none_of_it(shapes: Path, quick: dict[str, Any]) -> None:
    dataset = open_dataset(shapes)
    assert find_dataset_channels(dataset, make_config("default", **quick)) is None
    with pytest.raises(DataError, match="is no TIFF file or NumPy array"):
        find_dataset_channels(dataset, make_config("default", **{**quick, "bands": "1"}))


def make_channels(*names: str) -> Channels:
    size = len(names)
    zeros = (0.0,) * size
    ones = (1.0,) * size
    return Channels(names, tuple(range(size)), zeros, ones, zeros, ones, size, "float32", "as set")


def test_a_start_of_as_many_bands_keeps_its_weights() -> None:
    config = ModelConfig("fcn8s", "test_resnet", 3)
    source = build_segmenter(ModelConfig("fcn8s", "test_resnet", 3, channels=4))
    model = build_segmenter(config)
    four = make_channels("a", "b", "c", "d")
    match_start(model, source, "start", four)
    model.load_state_dict(source.state_dict())
    assert fit_to_channels(model, config, four).channels == 4
    weight = next(model.encoder.net.parameters())
    assert torch.equal(weight, next(source.encoder.net.parameters()))
    assert model.std.flatten().tolist() == [1, 1, 1, 1]
    with pytest.raises(ConfigError, match="takes 4 bands, and the images have 3"):
        match_start(build_segmenter(config), source, "start", None)


def test_a_network_of_another_library_takes_three_bands_alone() -> None:
    config = ModelConfig("torchvision.lraspp", "mobilenet_v3_large", 2)
    channels = make_channels("red", "green", "blue", "nir")
    with pytest.raises(ConfigError, match=r"have 4 bands, and torchvision\.lraspp takes three"):
        fit_to_channels(build_segmenter(config), config, channels)
