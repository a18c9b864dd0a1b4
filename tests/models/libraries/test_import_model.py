"""A model of torchvision, imported: what is kept in the cache and what is said."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import get_model

from pixelwise.errors import ModelError
from pixelwise.models.checkpoint import is_own, load_model, model_path, read_header
from pixelwise.models.remote_models import fetch_model


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    network = get_model("lraspp_mobilenet_v3_large", weights_backbone=None, num_classes=3)
    save_file(network.state_dict(), path)
    return path


def test_it_is_imported_once_and_again_where_a_file_changes(weights: Path, tmp_path: Path) -> None:
    first = model_path(weights)
    assert is_own(first)
    assert first.is_relative_to(tmp_path / "cache")
    assert model_path(weights) == first
    assert model_path(first) == first
    names = {"0": "sky", "1": "road", "2": "road"}
    weights.with_suffix(".json").write_text(json.dumps({"id2label": names}))
    assert model_path(weights) != first
    assert read_header(weights).classes.names == ("sky", "road 1", "road 2")


def test_what_is_said_at_the_first_time(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    model_path(weights)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        f"{weights}: torchvision.lraspp on mobilenet_v3_large, 3 classes",
        f"{weights}: its files name no classes: they are called class 0 to class 2",
        f"{weights}: its licence is unknown; ask who made it before you pass it on",
    ]
    assert read_header(weights).training["imported"]["notes"] == [
        line.partition(": ")[2] for line in lines[1:]
    ]


def test_preprocessor_config_beside_any_weights_says_how_images_are_prepared(
    weights: Path, tmp_path: Path
) -> None:
    plain, _ = load_model(weights)
    rules = {"image_mean": [0.1, 0.2, 0.3], "image_std": 0.5, "size": 200}
    rules |= {"do_flip_channel_order": True, "do_normalize": True}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(rules))
    model, header = load_model(weights)
    assert header.model.bgr
    assert header.sizes is not None
    assert header.sizes.side == 200
    images = torch.rand(1, 3, 32, 32)
    normalised = (images - torch.tensor([0.1, 0.2, 0.3]).reshape(1, 3, 1, 1)) / 0.5
    with torch.no_grad():
        expected = plain.network.eval()(normalised[:, [2, 1, 0]])["out"]  # type: ignore[operator]
        assert torch.allclose(model.eval()(images), expected, atol=1e-5)


def test_weights_of_no_known_network_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "net.pth")
    with pytest.raises(
        ModelError, match=r"net\.pth: its tensors \(the first is layer\.weight\) .*other-models"
    ):
        load_model(tmp_path / "net.pth")


def test_a_folder_in_a_store_is_imported_from_the_cache(weights: Path, tmp_path: Path) -> None:
    fetch_model.cache_clear()
    folder = tmp_path / "store"
    folder.mkdir()
    weights.rename(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"class_names": ["a", "b", "c"]}))
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    address = Path(f"file://{folder}")
    header = read_header(address)
    assert header.classes.names == ("a", "b", "c")
    assert header.training["start"]["licence"] == "cc-by-4.0"
    fetch_model.cache_clear()
