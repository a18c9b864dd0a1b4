import pytest
import torch
import torch.nn.functional as F
from torch import nn

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.registry import UPSAMPLING_DECODERS
from pixelwise.models.upsampling import (
    UPSAMPLE,
    Unpool,
    build_upsampler,
)


@pytest.mark.parametrize("upsample", UPSAMPLE)
@pytest.mark.parametrize("decoder", UPSAMPLING_DECODERS)
def test_a_decoder_with_the_choice_takes_every_upsampling(decoder: str, upsample: str) -> None:
    model = pixelwise.build_model(decoder, encoder="vgg11", classes=3, upsample=upsample)
    logits = model(torch.rand(2, 3, 40, 65))
    assert logits.shape == (2, 3, 40, 65)
    (logits * torch.randn_like(logits)).sum().backward()
    idle = {
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    }
    assert not {name for name in idle if not name.startswith("encoder.norms")}


@pytest.mark.parametrize("decoder", ["fcn8s", "unet", "linknet"])
def test_unpooling_without_max_pooling_is_refused_by_name(decoder: str) -> None:
    with pytest.raises(
        ConfigError, match="'unpool' needs an encoder that halves by 2x2 max-pooling"
    ):
        pixelwise.build_model(decoder, encoder="resnet18", classes=3, upsample="unpool")


def test_an_unknown_upsampling_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'bilinear'"):
        pixelwise.build_model("unet", encoder="resnet18", classes=3, upsample="bilinar")


def test_unpooling_returns_values_to_where_the_maximum_was() -> None:
    picture = torch.randn(2, 3, 8, 6)
    pooled, places = F.max_pool2d(picture, 2, return_indices=True)
    layer = Unpool(3, 3, Pyramid({}, {1: 3}), [1])
    nn.init.dirac_(layer.fill.weight)
    nn.init.zeros_(layer.fill.bias)  # type: ignore[arg-type]
    result = layer(pooled, Features({}, {1: places}))
    is_largest = picture == F.interpolate(pooled, scale_factor=2)
    assert torch.equal(result, torch.where(is_largest, picture, 0))


def test_the_encoders_places_are_those_of_its_own_pooling() -> None:
    encoder = pixelwise.build_model(
        "unet", encoder="vgg11", classes=2, upsample="unpool", plain=True
    ).encoder
    features = encoder(torch.rand(1, 3, 64, 64))
    assert encoder.pyramid.pooled_channels == {1: 64, 2: 128, 4: 256, 8: 512, 16: 512}  # type: ignore[union-attr]
    for (
        stride,
        places,
    ) in features.pool_indices.items():  # timm's features of VGG are those just before the pooling
        assert torch.equal(places, F.max_pool2d(features[stride], 2, return_indices=True)[1])


def test_a_subpixel_convolution_starts_without_checkerboard() -> None:
    layer = build_upsampler(
        "subpixel", (4, 2), strides=(8, 1), pyramid=Pyramid({}), transposed=nn.Identity
    )
    result = layer(torch.randn(1, 4, 3, 5))
    assert result.shape == (1, 2, 24, 40)
    blocks = result.unflatten(-1, (5, 8)).unflatten(-3, (3, 8))
    assert torch.allclose(blocks, blocks[..., :1, :, :1], atol=1e-6)
