import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.synthetic import CLASSES, write_shapes


def _load(name: str, path: Path) -> ModuleType:
    """Make a file that lies in no package importable by the tests."""
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(path.parent)]
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


HERE = Path(__file__).parent
# The clinic's faults live with the benchmark.
faults = _load("clinic_faults", HERE.parents[1] / "benchmarks/faults/__init__.py")
_load("sample_pictures", HERE / "sample_pictures.py")


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean set of palette masks with classes.txt: 12 to train, 6 to validate, 6 to test."""
    folder = tmp_path_factory.mktemp("clean")
    write_shapes(folder, train=12, val=6, test=6, size=(100, 130), seed=5)
    return folder


@pytest.fixture(scope="session")
def clean_binary(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images with masks of 0 and 255 and no classes file; the rim is background."""
    folder = tmp_path_factory.mktemp("binary") / "set"
    shutil.copytree(clean, folder)
    (folder / "classes.txt").unlink()
    for path in (folder / "masks").rglob("*.png"):
        labels = (np.asarray(Image.open(path)) > 0).astype(np.uint8) * np.uint8(255)
        rim = np.zeros_like(labels)
        rim[15:-15, 20:-20] = 1
        Image.fromarray(labels * rim).save(path)
    return folder


@pytest.fixture
def sample_set(clean: Path, tmp_path: Path) -> "faults.SampleSet":
    shutil.copytree(clean, tmp_path / "set")
    return faults.SampleSet(tmp_path / "set", False, CLASSES.names, CLASSES.palette)


@pytest.fixture
def binary(clean_binary: Path, tmp_path: Path) -> "faults.SampleSet":
    shutil.copytree(clean_binary, tmp_path / "set")
    return faults.SampleSet(
        tmp_path / "set", True, ("background", "foreground"), ((0, 0, 0), (255, 255, 255))
    )
