from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter
from pixelwise.progress import Progress

torch.set_num_threads(1)  # small tensors: more threads only wait for each other

REAL_DATA = Path(__file__).parents[2] / "shared/data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("the real data sets are not on this machine")
    return REAL_DATA


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generated data set: 12 training, 4 validation and 4 test images."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, train=12, val=4, test=4, size=(64, 96), seed=3)
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    rgb = np.random.default_rng(0).integers(0, 256, (48, 70, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(path, quality=95)
    return path


def write_picture(path: Path, height: int, width: int) -> Path:
    """Noise, the same for the same height."""
    rng = np.random.default_rng(height)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[str, int, int], Path]:
    """Writes a picture of that name, height and width."""
    return lambda name, height, width: write_picture(tmp_path / name, height, width)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives model files of untrained networks of three classes, written once: not to be changed."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def write(decoder: str = "fcn32s", encoder: str = "resnet10t", scale: float = 1.0) -> Path:
        torch.manual_seed(0)
        config = ModelConfig(decoder, encoder, 3, scale=scale)
        classes = Classes.named(("sky", "road", "car"))
        path = folder / f"{decoder}_{encoder}_{scale}.safetensors"
        save_model(path, build_segmenter(config), Header(config, classes, {"crop": [64, 96]}))
        return path

    return write


@pytest.fixture(scope="session")
def exported_file(
    tmp_path_factory: pytest.TempPathFactory, model_file: Callable[..., Path]
) -> Callable[..., Path]:
    """Gives model files as `export` writes them, by suffix, written once: not to be changed."""
    from pixelwise.export.exporter import export

    folder = tmp_path_factory.mktemp("exported")
    photo = write_picture(folder / "photo.png", 70, 45)

    @cache
    def write(suffix: str, decoder: str = "fcn32s") -> Path:
        return export(model_file(decoder), folder / f"{decoder}{suffix}", images=[photo]).path

    return write


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/pixelwise"


class RecordedProgress(Progress):
    """Keeps the lines that are logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def recorded() -> Callable[[], RecordedProgress]:
    """Makes a Progress that keeps its `lines`."""
    return RecordedProgress
