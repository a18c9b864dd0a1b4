from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.models import upsampling as upsampling_module
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.registry import DECODERS
from pixelwise.models.upsampling import (
    UPSAMPLE,
    TransposedConv2d,
    Unpool,
    bilinear_transposed_conv,
    build_upsampler,
    transposed_by_blocks,
)


@pytest.mark.parametrize("upsample", UPSAMPLE)
@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_takes_every_upsampling(decoder: str, upsample: str) -> None:
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
    found = layer(pooled, Features({}, {1: places}))
    is_largest = picture == F.interpolate(pooled, scale_factor=2)
    assert torch.equal(found, torch.where(is_largest, picture, 0))


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
    found = layer(torch.randn(1, 4, 3, 5))
    assert found.shape == (1, 2, 24, 40)
    blocks = found.unflatten(-1, (5, 8)).unflatten(-3, (3, 8))
    assert torch.allclose(blocks, blocks[..., :1, :, :1], atol=1e-6)


@pytest.mark.parametrize("product", ["matrix", "convolution"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(*[st.integers(1, 4)] * 3, st.integers(1, 10), st.integers(0, 3), *[st.integers(1, 5)] * 2)
def test_the_transposed_convolution_by_blocks_equals_pytorchs(
    monkeypatch: pytest.MonkeyPatch,
    product: str,
    inputs: int,
    outputs: int,
    taps: int,
    stride: int,
    padding: int,
    height: int,
    width: int,
) -> None:
    """In float64, with the product that is taken in half precision and with that of full
    precision.
    """
    monkeypatch.setattr(
        upsampling_module, "_HALF_PRECISIONS", (torch.float64,) if product == "matrix" else ()
    )
    kernel = taps * stride
    if min((side - 1) * stride - 2 * padding + kernel for side in (height, width)) < 1:
        return
    x = torch.randn(2, inputs, height, width, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(inputs, outputs, kernel, kernel, dtype=torch.float64, requires_grad=True)
    expected = F.conv_transpose2d(x, weight, stride=stride, padding=padding)
    found = transposed_by_blocks(x, weight, stride=stride, padding=(padding, padding))
    assert torch.allclose(found, expected, atol=1e-9)
    probe = torch.randn_like(expected)
    wanted, got = (torch.autograd.grad((y * probe).sum(), [x, weight]) for y in (expected, found))
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(wanted, got, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("stride", "kernel"), [(32, 64), (16, 32), (8, 16), (8, 24), (8, 8), (2, 4)]
)
def test_the_fast_transposed_convolution_in_either_precision_and_layout(
    stride: int, kernel: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    layer = TransposedConv2d(5, 4, kernel, stride, padding=(kernel - stride) // 2).to(dtype)
    picture = torch.randn(2, 5, 4, 3, dtype=dtype)
    exact = F.conv_transpose2d(
        picture.double(),
        layer.weight.double(),
        layer.bias.double(),
        stride,
        layer.padding,  # type: ignore
    )
    tolerance = 1e-5 if dtype == torch.float32 else 0.03
    for layout in (torch.contiguous_format, torch.channels_last):
        found = layer.to(memory_format=layout)(picture.contiguous(memory_format=layout))
        assert found.dtype == dtype
        assert torch.allclose(found.double(), exact, atol=tolerance, rtol=tolerance)


def test_the_fast_transposed_convolution_falls_back() -> None:
    picture = torch.rand(1, 4, 3, 3)
    for options in ({"groups": 2}, {"dilation": 2}, {"output_padding": 3}):
        layer = TransposedConv2d(4, 4, 16, 8, **options).bfloat16()
        expected = nn.ConvTranspose2d.forward(layer, picture.bfloat16())
        assert torch.allclose(layer(picture.bfloat16()).float(), expected.float(), atol=0.02)
    layer = TransposedConv2d(4, 4, 16, 8)
    assert layer(picture, output_size=[39, 39]).shape == (1, 4, 39, 39)
    assert layer(picture[0]).shape == (4, 32, 32)


def test_bad_tensors_are_answered_as_by_pytorch() -> None:
    layer = TransposedConv2d(2, 2, 16, 8, padding=4)
    for dtype in (torch.float32, torch.bfloat16):
        assert layer.to(dtype)(torch.rand(0, 2, 3, 3, dtype=dtype)).shape == (0, 2, 24, 24)
    layer.float()
    spoilt = torch.rand(1, 2, 3, 3)
    spoilt[0, 0, 1, 1] = torch.nan
    found = transposed_by_blocks(spoilt, layer.weight, stride=8, padding=(4, 4))
    assert torch.equal(found.isnan(), nn.ConvTranspose2d.forward(layer, spoilt).isnan())
    with pytest.raises(RuntimeError):
        layer(torch.ones(1, 2, 3, 3, dtype=torch.long))


def test_the_courses_photograph_is_doubled(real_data: Path) -> None:
    """561 x 728 pixels become 1122 x 1456, and inside they are the bilinear interpolation."""
    rgb = np.asarray(Image.open(real_data / "style/catdog.jpg").convert("RGB"))
    picture = torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        found: Tensor = bilinear_transposed_conv(3, 3, 2)(picture)
    assert picture.shape[-2:] == (561, 728)
    assert found.shape[-2:] == (1122, 1456)
    expected = F.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-6)
