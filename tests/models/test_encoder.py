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
