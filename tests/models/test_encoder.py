import pytest
import torch

import pixelwise
from pixelwise.models.encoder import Encoder


def test_deep_layers_get_a_gradient_that_adam_can_see() -> None:
    """Features that differ in scale once left the encoder of a U-Net with gradients below Adam's
    epsilon of 1e-8.
    """
    model = pixelwise.build_model("unet", classes=3, weights="auto")
    (model(torch.rand(4, 3, 64, 96)) * torch.randn(4, 3, 64, 96)).mean().backward()
    deepest = model.encoder.net.blocks[-1][-1].conv_pwl.weight.grad
    assert deepest.square().mean().sqrt() > 1e-6


def test_normalisation_is_that_of_the_encoder_and_travels_with_the_model() -> None:
    model = pixelwise.build_model("unet", encoder="resnet18", classes=2)
    assert model.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert {"mean", "std"} <= model.state_dict().keys()
    lite = Encoder("tf_efficientnet_lite0")
    assert lite.mean == lite.std == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "output_stride", "channels"),
    [
        ("resnet18", 16, {2: 64, 4: 64, 8: 128, 16: 512}),
        ("resnet18", 8, {2: 64, 4: 64, 8: 512}),
        ("convnext_atto", 16, {4: 40, 8: 80, 16: 320}),
    ],
)
def test_a_dilated_network_gives_its_last_stage_at_the_output_stride(
    name: str, output_stride: int, channels: dict[int, int]
) -> None:
    encoder = Encoder(name, output_stride=output_stride).eval()
    assert encoder.channels == channels
    with torch.no_grad():
        features = encoder(torch.rand(1, 3, 64, 96))
    assert {stride: tuple(feature.shape) for stride, feature in features.items()} == {
        stride: (1, width, 64 // stride, 96 // stride) for stride, width in channels.items()
    }
    assert encoder.net.state_dict().keys() == Encoder(name).net.state_dict().keys()


@pytest.mark.parametrize("name", ["ese_vovnet19b_dw", "densenet121", "unet"])
def test_a_network_that_cannot_be_dilated_stays_as_it_is(name: str) -> None:
    dilated = Encoder(name, output_stride=8)
    assert dilated.channels == Encoder(name).channels
