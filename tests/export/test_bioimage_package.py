"""The package as its readers see it: its hashes, its test tensors, what its validator says."""

import gc
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from typer.testing import CliRunner

from pixelwise.api import export_model
from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.errors import ConfigError
from pixelwise.export.exporter import export
from pixelwise.export.model_card import CardFacts
from pixelwise.io.channels import Channels
from pixelwise.models.checkpoint import Header, load_model, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter

BANDS = Channels(
    ("red", "green", "near infrared", "red edge"), (1, 2, 3, 4), (-10.0, 0, 0, 100), (990.0, 1000, 2000, 4000), (0.5,) * 4, (0.2,) * 4, 4, "uint16", "by hand"
)  # fmt: skip


@pytest.fixture(scope="module", params=["bands that overlap", "two classes of 12 bits"])
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model, and its package."""
    folder = tmp_path_factory.mktemp("package")
    torch.manual_seed(0)
    if "bands" in request.param:
        config = ModelConfig("fcn32s", "test_resnet", 2, channels=4, thresholds=(0.4, 0.6))
        reading: dict[str, Any] = {"channels": BANDS.to_header()}
    else:
        config = ModelConfig("fcn32s", "test_resnet", 2)
        reading = {"common_bits": 12}
    header = Header(config, Classes.named(("leaf", "1 of two")), {"reading": reading})
    model = folder / "leaf.safetensors"
    save_model(model, build_segmenter(config), header)
    return model, export(model, folder / "leaf.bioimage.zip", size=None).path


def read_package(path: Path) -> tuple[dict[str, Any], Callable[[str], Any]]:
    archive = zipfile.ZipFile(path)
    description = yaml.safe_load(archive.read("rdf.yaml"))
    return description, lambda name: np.load(io.BytesIO(archive.read(name)))


def test_the_test_tensors_are_what_the_model_says_of_values_as_files_hold_them(
    package: tuple[Path, Path],
) -> None:
    segmenter, header = load_model(package[0])
    description, read = read_package(package[1])
    raw = read("test_input.npy")[0]
    if header.model.multilabel:
        pixels = BANDS.to_pixels(raw).transpose(2, 0, 1)  # as predict reads a file
        assert raw.dtype == np.float32
        activation: Callable[..., torch.Tensor] = torch.sigmoid
    else:
        pixels = (raw >> 4).astype(np.uint8)
        assert raw.dtype == np.uint16
        activation = torch.nn.Softmax(1)
    with torch.inference_mode():
        expected = activation(segmenter.eval()(torch.from_numpy(pixels.copy())[None] / 255))
    assert np.allclose(read("test_output.npy"), expected.numpy(), atol=1e-4)
    (output,) = description["outputs"]
    assert output["axes"][1]["channel_names"] == ["leaf", "class_1_of_two"]
    names = [row["name"] for row in description["config"]["pixelwise"]["classes"]]
    assert names == ["leaf", "1 of two"]


def test_files_have_the_hashes_that_are_named(package: tuple[Path, Path]) -> None:
    description, _ = read_package(package[1])
    parts = (
        description["weights"]["onnx"],
        description["inputs"][0]["test_tensor"],
        description["outputs"][0]["test_tensor"],
    )
    with zipfile.ZipFile(package[1]) as archive:
        for part in parts:
            content = archive.read(part["source"])
            assert hashlib.sha256(content).hexdigest() == part["sha256"]
        with Image.open(io.BytesIO(archive.read("cover.png"))) as cover:
            assert cover.size == (640, 320)
        card = archive.read("README.md").decode()
    assert "# Validation" in card
    assert ("overlap" in card) == (
        description["outputs"][0]["postprocessing"][0]["id"] == "sigmoid"
    )


@pytest.mark.filterwarnings("ignore")  # those of its packages, which leave files open
def test_its_own_validator_takes_it_and_its_runner_reproduces_the_test(
    package: tuple[Path, Path],
) -> None:
    spec = pytest.importorskip("bioimageio.spec")
    core = pytest.importorskip("bioimageio.core")
    assert spec.load_description(package[1]).validation_summary.status == "valid-format"
    assert core.test_model(package[1]).status == "passed"
    gc.collect()


def test_the_command_writes_it_of_one_size_and_says_what_it_lacks(
    model_file: Callable[..., Path], photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.bioimage.zip"
    sizes = ["--size", "64", "96", "--licence", "apache-2.0", "--author", "A. Person"]
    arguments = ["export", str(model_file()), "--out", str(out), "--images", str(photo), *sizes]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "the package does not say: the data's licence (--data-licence)" in done.output
    assert "the model's licence" not in done.output
    description, read = read_package(out)
    assert description["license"] == "Apache-2.0"
    assert description["authors"] == [{"name": "A. Person"}]
    assert [axis.get("size") for axis in description["inputs"][0]["axes"]] == [1, None, 64, 96]
    assert read("test_input.npy").shape == (1, 3, 64, 96)
    assert description["cite"][0]["doi"] == "10.48550/arXiv.1411.4038"


def test_facts_that_cannot_be_said_are_refused(
    model_file: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"--author 'a/b': give a name"):
        export(model_file(), tmp_path / "a.bioimage.zip", facts=CardFacts(authors=("a/b",)))
    with pytest.raises(ConfigError, match=r"are for a card, and --out is .*a\.onnx"):
        export_model(model_file(), tmp_path / "a.onnx", facts=CardFacts("mit"))
    assert list(tmp_path.iterdir()) == []
