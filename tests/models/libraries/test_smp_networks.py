"""segmentation_models.pytorch's own networks with random weights are the truth."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pixelwise.errors import ConfigError, ModelError
from pixelwise.models.checkpoint import load_model, model_path, read_header
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter

smp = pytest.importorskip("segmentation_models_pytorch")

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def build(name: str = "unet", encoder: str = "resnet18", classes: int = 3, **options: Any) -> Any:
    torch.manual_seed(0)
    return smp.create_model(name, encoder, encoder_weights=None, classes=classes, **options)


def logits_of(network: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda images: network((images - MEAN) / STD)


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("unet", "resnet18"),
        ("unetplusplus", "resnet18"),
        ("manet", "resnet18"),
        ("linknet", "mobilenet_v2"),
        ("fpn", "tu-resnet18"),
        ("pspnet", "resnet18"),
        ("pan", "resnet18"),
        ("deeplabv3", "resnet18"),
        ("deeplabv3plus", "mobilenet_v2"),
        ("upernet", "resnet18"),
        ("segformer", "mit_b0"),
    ],
)
def test_logits_are_those_of_smp(
    tmp_path: Path,
    randomize: Callable[..., nn.Module],
    compare: Callable[..., float],
    name: str,
    encoder: str,
) -> None:
    network = randomize(build(name, encoder))
    network.save_pretrained(tmp_path)
    assert compare(tmp_path, logits_of(network), size=(128, 128)) < 1e-4
    model, _ = load_model(tmp_path)
    with torch.no_grad():
        assert model.eval()(torch.rand(1, 3, 1, 1)).shape == (1, 3, 1, 1)


def test_a_transformer_of_one_size_sees_all_images_at_it(
    tmp_path: Path, compare: Callable[..., float]
) -> None:
    channels = {"decoder_fusion_channels": 8, "decoder_intermediate_channels": [8, 8, 8, 8]}
    network = build("dpt", "tu-vit_tiny_patch16_224", **channels).eval()
    network.save_pretrained(tmp_path)
    assert compare(tmp_path, logits_of(network), size=(224, 224)) < 1e-4
    model, _ = load_model(tmp_path)
    with torch.no_grad():
        assert model.eval()(torch.rand(1, 3, 50, 70)).shape == (1, 3, 50, 70)


@pytest.mark.parametrize(("name", "encoder"), [("unet", "resnet18"), ("pspnet", "mobilenet_v2")])
def test_onnx_gives_the_same_logits_at_any_size(
    tmp_path: Path, compare_onnx: Callable[..., float], name: str, encoder: str
) -> None:
    build(name, encoder).save_pretrained(tmp_path)
    assert compare_onnx(tmp_path, (33, 65), (97, 50)) < 1e-3


def test_one_logit_becomes_two_classes_of_the_same_probability(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = build(classes=1, activation="sigmoid").eval()
    network.save_pretrained(tmp_path)
    model, header = load_model(tmp_path)
    assert header.classes.names == ("background", "foreground")
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = network((images - MEAN) / STD)  # by its activation
        probability = model.eval()(images).softmax(1)[:, 1:]
    assert torch.allclose(probability, expected, atol=1e-5)
    assert "no file says its mean and deviation" in caplog.text


def test_the_first_weights_of_its_encoder_say_mean_and_deviation(tmp_path: Path) -> None:
    network = build("unet", "tu-mobilenetv3_small_100")
    network.config["encoder_weights"] = "imagenet"
    network.save_pretrained(tmp_path)
    raw = smp.encoders.get_preprocessing_params("tu-mobilenetv3_small_100")
    model, _ = load_model(tmp_path)
    assert torch.allclose(model.mean.flatten(), torch.tensor(raw["mean"]))
    assert torch.allclose(model.std.flatten(), torch.tensor(raw["std"]))


def test_weights_alone_need_their_options_beside_them(tmp_path: Path) -> None:
    network = build(aux_params={"classes": 2})
    state = {f"model.{name}": value for name, value in network.state_dict().items()}
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": state, "epoch": 1}, path)  # as Lightning writes it
    with pytest.raises(ModelError, match=r'write last\.json with its options, such as \{"arch"'):
        model_path(path)
    options = {"arch": "unet", "encoder_name": "resnet18", "classes": 3}
    names = {"class_names": ["sky", "road", "car"]}
    (tmp_path / "last.json").write_text(json.dumps({**options, **names}))
    assert read_header(path).classes.names == ("sky", "road", "car")
    (tmp_path / "last.json").write_text(json.dumps({**options, "classes": 4}))
    with pytest.raises(ModelError, match="have another shape in unet of smp, first segmentation_"):
        model_path(path)


def test_a_training_for_other_classes_gets_as_many_logits(tmp_path: Path) -> None:
    build(classes=1).save_pretrained(tmp_path)
    config = replace(read_header(tmp_path).model, classes=4)
    with torch.no_grad():
        assert build_segmenter(config).eval()(torch.rand(1, 3, 32, 32)).shape == (1, 4, 32, 32)


def test_options_that_smp_does_not_know_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"smp \S+ cannot build unet on resnet18 .* blocks"):
        build_segmenter(ModelConfig("smp.unet", "resnet18", 2, options={"decoder_channels": [8]}))
    with pytest.raises(ConfigError, match="unknown network of smp 'unett'"):
        build_segmenter(ModelConfig("smp.unett", "resnet18", 2))


def test_other_channels_than_rgb_are_refused(tmp_path: Path) -> None:
    build(in_channels=4).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="takes 4 channels"):
        model_path(tmp_path)
