from pathlib import Path

import pytest
import torch
from torchvision.models import get_model

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.training.config import TrainConfig
from pixelwise.training.initial_network import init_weights, make_network


def test_the_network_is_that_of_the_options_and_follows_from_the_seed(shapes: Path) -> None:
    dataset = open_dataset(shapes)
    config = TrainConfig().with_options(decoder="fcn32s", encoder="resnet10t", weights="none")
    model_config, model = make_network(dataset, config)
    assert (model_config.decoder, model_config.classes) == ("fcn32s", 4)
    state = model.state_dict()
    _, again = make_network(dataset, config)
    assert all(torch.equal(state[name], value) for name, value in again.state_dict().items())
    assert init_weights(model, model_config, dataset, config, None) == (
        "resnet10t: untrained (random weights)"
    )


def test_a_start_of_another_library_brings_its_network_and_its_classes_weights(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    start = get_model("lraspp_mobilenet_v3_large", weights_backbone=None, num_classes=2)
    torch.save(start.state_dict(), tmp_path / "net.pth")
    (tmp_path / "net.json").write_text('{"class_names": ["circle", "cat"]}')
    dataset = open_dataset(shapes)
    config = TrainConfig().with_options(start=str(tmp_path / "net.pth"))
    model_config, model = make_network(dataset, config)
    assert (model_config.decoder, model_config.classes) == ("torchvision.lraspp", 4)
    init_weights(model, model_config, dataset, config, None)
    name = "classifier.low_classifier.weight"
    weights = model.state_dict()[f"network.{name}"]  # (classes, C, 1, 1)
    circle = dataset.classes.names.index("circle")
    assert torch.equal(weights[circle], start.state_dict()[name][0])
    assert not torch.equal(weights[circle - 1], start.state_dict()[name][1])


def test_a_pre_activation_resnet_has_its_final_norm_unless_its_start_has_none(
    shapes: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(shapes)
    options = {"decoder": "fcn32s", "encoder": "resnetv2_18", "weights": "none"}
    config = TrainConfig().with_options(**options)
    model_config, model = make_network(dataset, config)
    assert model_config.final_norm
    assert "encoder.net.norm.weight" in model.state_dict()
    old, model = make_network(dataset, config.with_options(final_norm=False))
    assert "encoder.net.norm.weight" not in model.state_dict()
    start = tmp_path / "old.safetensors"
    save_model(start, model, Header(old, dataset.classes))
    begun, _ = make_network(dataset, config.with_options(start=str(start)))
    assert not begun.final_norm
