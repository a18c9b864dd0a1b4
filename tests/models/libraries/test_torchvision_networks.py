"""torchvision's own networks with random weights are the truth."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision.models
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

import pixelwise
from pixelwise.errors import ConfigError, ModelError
from pixelwise.export.exporter import export
from pixelwise.models.checkpoint import load_model, model_path, read_header
from pixelwise.models.config import ModelConfig
from pixelwise.models.libraries.torchvision_networks import NETWORKS
from pixelwise.models.registry import build_segmenter
from pixelwise.models.remote_models import hash_file

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
SMALL = "lraspp_mobilenet_v3_large"


def build(name: str, classes: int = 5, **options: bool) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = get_model(
        name, weights=None, weights_backbone=None, num_classes=classes, **options
    )
    return network


def logits_of(network: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda images: network((images - MEAN) / STD)["out"]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / f"{SMALL}.pth"
    torch.save(build(SMALL).state_dict(), path)
    return path


def test_every_segmentation_network_of_torchvision_is_known() -> None:
    names = torchvision.models.list_models(module=torchvision.models.segmentation)
    assert sorted(NETWORKS) == sorted(names)


@pytest.mark.parametrize("name", [name for name in NETWORKS if "resnet101" not in name])
def test_logits_are_those_of_torchvision(
    tmp_path: Path, randomize: Callable[..., nn.Module], compare: Callable[..., float], name: str
) -> None:
    network = randomize(build(name))
    torch.save(network.state_dict(), tmp_path / "net.pth")
    assert compare(tmp_path / "net.pth", logits_of(network), size=(37, 51)) < 1e-4
    decoder, _, encoder = name.partition("_")
    config = read_header(tmp_path / "net.pth").model
    assert (config.decoder, config.encoder, config.classes) == (
        f"torchvision.{decoder}",
        encoder,
        5,
    )


@pytest.mark.parametrize("name", [SMALL, "deeplabv3_mobilenet_v3_large"])
def test_onnx_gives_the_same_logits_at_any_size(
    tmp_path: Path, compare_onnx: Callable[..., float], name: str
) -> None:
    torch.save(build(name).state_dict(), tmp_path / "net.pth")
    assert compare_onnx(tmp_path / "net.pth", (33, 65), (97, 50)) < 1e-3


def test_a_training_starts_from_it_and_its_model_names_the_network(
    shapes: Path, small: Path, tmp_path: Path
) -> None:
    quick = {"epochs": 1, "crop": (32, 32), "batch": 4, "workers": 0, "precision": "float32"}
    run = pixelwise.train(shapes, tmp_path / "run", start=str(small), device="cpu", **quick)
    model, header = load_model(run.path)
    assert header.model.decoder == "torchvision.lraspp"
    assert header.classes.names == pixelwise.load(run.path).classes.names
    start = torch.load(small, weights_only=True)["backbone.0.0.weight"]
    learned = model.state_dict()["network.backbone.0.0.weight"]
    assert 0 < float((learned - start).abs().max()) < 0.1


def test_predict_and_export_take_it(small: Path, photo: Path, tmp_path: Path) -> None:
    result = pixelwise.load(small)(photo)
    assert result.labels.shape == (48, 70)
    exported = export(small, tmp_path / "net.onnx", images=[photo])
    assert exported.agreement == 1.0


def test_an_auxiliary_head_is_left_out_which_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = build("deeplabv3_mobilenet_v3_large", aux_loss=True).state_dict()
    torch.save({"model": state, "epoch": 3}, tmp_path / "checkpoint.pth")
    load_model(tmp_path / "checkpoint.pth")
    assert "aux_classifier is left out" in caplog.text
    assert "its files name no classes: they are called class 0 to class 4" in caplog.text
    assert "its licence is unknown" in caplog.text


def test_a_published_file_brings_its_classes_and_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = tmp_path / "draft.pth"
    torch.save(build(SMALL, 21).state_dict(), draft)
    weights = get_model_weights(SMALL).DEFAULT
    name = f"lraspp-{hash_file(draft)[:8]}.pth"
    url = f"https://example.org/{name}"
    monkeypatch.setattr(weights, "_value_", weights.value.__class__(url, None, weights.meta))
    path = draft.rename(tmp_path / name)
    header = read_header(path)
    assert header.classes.names[:3] == ("__background__", "aeroplane", "bicycle")
    assert header.training["start"]["licence"] == "bsd-3-clause"
    assert header.sizes is not None
    assert header.sizes.view_size(480, 640) == (520, 693)
    changed = path.rename(tmp_path / "lraspp-00000000.pth")
    assert read_header(changed).classes.guessed
    assert read_header(changed).sizes is None


def test_weights_that_are_no_whole_network_are_refused(small: Path, tmp_path: Path) -> None:
    state = torch.load(small, weights_only=True)
    torch.save({**state, "backbone.0.9.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"other\.pth: 1 tensors have no place in .*torchvision"):
        model_path(tmp_path / "other.pth")
    cut = {name: value for name, value in state.items() if "high_classifier" not in name}
    torch.save(cut, tmp_path / "cut.pth")
    with pytest.raises(ModelError, match=r"2 tensors are missing, first classifier\.high_cl"):
        model_path(tmp_path / "cut.pth")


def test_a_configuration_that_torchvision_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown network of torchvision 'fcn_resnet18'"):
        build_segmenter(ModelConfig("torchvision.fcn", "resnet18", 2))
    with pytest.raises(ConfigError, match="takes RGB, not 4 channels"):
        build_segmenter(ModelConfig("torchvision.fcn", "resnet50", 2, channels=4))
    with pytest.raises(ConfigError, match=r"unknown library 'torchvisoin'.*did you mean"):
        build_segmenter(ModelConfig("torchvisoin.fcn", "resnet50", 2))
