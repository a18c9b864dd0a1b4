import pytest
import timm
import torch
from torch import nn

import pixelwise
from pixelwise.models.encoder import Encoder
from pixelwise.models.encoder_stages import first_layers
from pixelwise.models.pretrained import fit_state


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


@pytest.mark.parametrize("output_stride", [16, 32])
def test_a_pre_activation_resnet_ends_in_its_normalisation_and_relu(output_stride: int) -> None:
    """The truth is timm's whole network, whose weights are taken, the final norm's too."""
    whole = timm.create_model("resnetv2_18", output_stride=output_stride).eval()
    nn.init.uniform_(whole.norm.weight)
    nn.init.normal_(whole.norm.bias)
    encoder = Encoder("resnetv2_18", plain=True, output_stride=output_stride).eval()
    fit_state(encoder, whole.state_dict(), source="timm")
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        features = encoder(image)
        assert torch.equal(features[output_stride], whole.forward_features(image))
    assert bool((features[output_stride] == 0).any())
    assert first_layers(encoder, len(encoder.net.feature_info))[-1] is encoder.net["norm"]
