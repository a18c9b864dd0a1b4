from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise.datasets.synthetic import write_shapes

torch.set_num_threads(1)  # small tensors: more threads only wait for each other

REAL_DATA = Path(__file__).parents[2] / "shared/data"


@pytest.fixture(scope="session", autouse=True)
def _session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Scans of data sets and choices of runtimes are kept for the session, not in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


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
