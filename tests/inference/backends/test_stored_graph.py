import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pixelwise.classes import Classes
from pixelwise.inference.backends import stored_graph
from pixelwise.inference.backends.sessions import OnnxRunner
from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.models.checkpoint import Header, bundled, load_model, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter

RGB = np.random.default_rng(0).integers(0, 256, (1, 3, 45, 70), dtype=np.uint8)

COMMAND = (
    "from pathlib import Path; from pixelwise.inference.backends import stored_graph; "
    "stored_graph.write_stored_graph(Path('{}'))"
)


def check_network(network: bytes, model: Path, folder: Path) -> None:
    path = folder / "network.onnx"
    path.write_bytes(network)
    expected = TorchRunner(load_model(model)[0], device=torch.device("cpu"))(RGB)
    np.testing.assert_allclose(OnnxRunner(path)(RGB), expected, atol=1e-3)


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_models_graph_belongs_to_its_weights(name: str, tmp_path: Path) -> None:
    model = bundled()[name]
    network = stored_graph.read_stored_network(model)
    assert network, f'write the graph again: python -c "{COMMAND.format(model)}"'
    check_network(network, model, tmp_path)
    assert model.with_suffix(".onnx").stat().st_size < 300_000  # no weights are in it twice


def test_a_graph_takes_its_weights_from_the_model_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_graph, "BUNDLED", tmp_path)
    torch.manual_seed(0)
    config = ModelConfig("light", "resnet10t", 2)
    header = Header(config, Classes.named(("a", "b")))
    path = tmp_path / "small.safetensors"
    save_model(path, build_segmenter(config), header, half=True)
    assert stored_graph.read_stored_network(path) is None
    graph = stored_graph.write_stored_graph(path)
    assert graph.stat().st_size < path.stat().st_size / 50
    network = stored_graph.read_stored_network(path)
    assert network is not None
    check_network(network, path, tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in (path, graph):
        shutil.copy(file, elsewhere)
    # beside a user's model lies an export, not our graph
    assert stored_graph.read_stored_network(elsewhere / path.name) is None
    save_model(path, build_segmenter(config), header, half=True)  # other weights
    assert stored_graph.read_stored_network(path) is None
