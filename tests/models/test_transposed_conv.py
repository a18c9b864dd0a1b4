from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from pixelwise.models import transposed_conv
from pixelwise.models.blockwise_transposed import transposed_by_blocks
from pixelwise.models.transposed_conv import TransposedConv2d, bilinear_transposed_conv


@pytest.mark.parametrize("stride", [2, 4, 8, 16, 32])
def test_an_upsampling_starts_as_bilinear_interpolation(stride: int) -> None:
    x = torch.rand(1, 3, 6, 7)
    with torch.no_grad():
        result = bilinear_transposed_conv(3, 3, stride)(x)
    expected = F.interpolate(x, scale_factor=stride, mode="bilinear", align_corners=False)
    inner = slice(stride, -stride)
    assert result.shape == expected.shape
    assert torch.allclose(result[..., inner, inner], expected[..., inner, inner], atol=1e-5)


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
        result = layer.to(memory_format=layout)(picture.contiguous(memory_format=layout))
        assert result.dtype == dtype
        assert torch.allclose(result.double(), exact, atol=tolerance, rtol=tolerance)


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
    result = transposed_by_blocks(spoilt, layer.weight, stride=8, padding=(4, 4))
    assert torch.equal(result.isnan(), nn.ConvTranspose2d.forward(layer, spoilt).isnan())
    with pytest.raises(RuntimeError):
        layer(torch.ones(1, 2, 3, 3, dtype=torch.long))


def test_the_courses_photograph_is_doubled(real_data: Path) -> None:
    """561 x 728 pixels become 1122 x 1456, and inside they are the bilinear interpolation."""
    rgb = np.asarray(Image.open(real_data / "style/catdog.jpg").convert("RGB"))
    picture = torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        result: Tensor = bilinear_transposed_conv(3, 3, 2)(picture)
    assert picture.shape[-2:] == (561, 728)
    assert result.shape[-2:] == (1122, 1456)
    expected = F.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(result[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-6)


@pytest.mark.parametrize("geometry", [(2, 2, 0), (3, 2, 1), (64, 32, 16)])
@pytest.mark.parametrize("own", [True, False])
def test_half_precision_that_the_processor_lacks_is_computed_in_float32(
    geometry: tuple[int, int, int], own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under autocast, and where the layer itself was converted: the float32 result, rounded."""
    monkeypatch.setattr(transposed_conv, "_multiplies_natively", lambda dtype, device: False)
    torch.manual_seed(0)
    kernel, stride, padding = geometry
    layer = TransposedConv2d(3, 5, kernel, stride, padding)
    if own:
        layer = layer.bfloat16()
    image = torch.rand(2, 3, 6, 7)
    with torch.autocast("cpu", torch.bfloat16, enabled=not own):
        output = layer(image.bfloat16() if own else image)
    exact = torch.nn.functional.conv_transpose2d(
        image.bfloat16().float() if own else image,
        layer.weight.float(),
        layer.bias.float(),
        stride,
        padding,
    )
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output, exact.bfloat16(), rtol=2**-7, atol=1e-6)
    output.float().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0
