import pytest
import torch

import pixelwise
from pixelwise.errors import ConfigError, PixelwiseError
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import DECODERS, build_segmenter

ENCODERS = [
    "tf_efficientnet_lite0",
    "resnet18",
    "vgg11",
    "convnext_atto",
]  # ceiling, ceiling, floor, no stride 2
SIZES = [(1, 1), (33, 1), (64, 64), (97, 131)]


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("decoder", DECODERS)
def test_logits_have_exactly_the_inputs_size(decoder: str, encoder: str) -> None:
    model = pixelwise.build_model(decoder, encoder=encoder, classes=3).eval()
    for height, width in SIZES:
        with torch.no_grad():
            assert model(torch.rand(2, 3, height, width)).shape == (2, 3, height, width)


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_parameter_gets_a_gradient(decoder: str) -> None:
    model = pixelwise.build_model(decoder, encoder="vgg11", classes=2)
    (model(torch.rand(2, 3, 64, 64)) * torch.randn(2, 2, 64, 64)).sum().backward()
    idle = {
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    }
    assert not {
        name for name in idle if not name.startswith("encoder.norms")
    }  # a decoder may leave strides unused


def test_names_that_do_not_exist_are_answered_with_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'unet'"):
        build_segmenter(ModelConfig("unett", "resnet18", 2))
    with pytest.raises(ConfigError, match="resnet18"):
        build_segmenter(ModelConfig("unet", "resnet18x", 2))
    with pytest.raises(ConfigError, match=r"strides \[7, 14, 14\], not a pyramid"):
        build_segmenter(ModelConfig("unet", "sequencer2d_s", 2))
    with pytest.raises(PixelwiseError, match="0 classes"):
        build_segmenter(ModelConfig("unet", "resnet18", 0))
