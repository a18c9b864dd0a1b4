import pytest
import timm
import torch
from torch.nn import functional as F

from pixelwise.models.config import ModelConfig
from pixelwise.models.encoder import Encoder
from pixelwise.models.plain_transformer import (
    STRIDES,
    WIDTH,
    Reassembly,
    grid_stride,
    is_plain,
    resize_to_grid,
    spread_over_depth,
)
from pixelwise.models.registry import build_segmenter


@pytest.mark.parametrize(
    ("depth", "layers"),
    [(12, [2, 5, 8, 11]), (24, [5, 11, 17, 23]), (40, [9, 19, 29, 39]), (6, [1, 2, 4, 5])],
)
def test_four_layers_are_spread_evenly_over_the_depth(depth: int, layers: list[int]) -> None:
    """Of 40: layers 10, 20, 30 and 40, as on DINOv3's largest."""
    assert spread_over_depth(depth) == layers


def test_one_stride_for_all_is_plain() -> None:
    assert is_plain([16, 16, 16])
    assert not is_plain([4, 8, 16])


def test_a_patch_of_14_pixels_stands_for_a_stride_of_16() -> None:
    assert [grid_stride(patch) for patch in (8, 14, 16, 32)] == [8, 16, 16, 32]
    images = torch.rand(1, 3, 64, 96)
    assert resize_to_grid(images, 16) is images
    resized = resize_to_grid(images, 14)
    assert resized.shape == (1, 3, 56, 84)
    assert torch.equal(resized, F.interpolate(images, (56, 84), mode="bilinear"))


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_maps_of_one_stride_become_a_pyramid(stride: int) -> None:
    layers = Reassembly(24, stride)
    maps = [torch.randn(2, 24, 128 // stride, 192 // stride) for _ in STRIDES]
    pyramid = layers(maps)
    assert [tuple(feature.shape) for feature in pyramid] == [
        (2, WIDTH, 128 // target, 192 // target) for target in STRIDES
    ]
    # at its own stride a pixel is a function of its token alone, whatever the token's scale
    number = STRIDES.index(stride)
    again = layers([feature * 100 for feature in maps])[number]
    assert torch.allclose(again, pyramid[number], atol=1e-3)


@pytest.mark.parametrize(
    "name",
    ["test_vit", "vit_tiny_patch16_dinov3_qkvb", "eva02_tiny_patch14_224", "xcit_nano_12_p8_224"],
)
def test_the_maps_are_those_of_timm(name: str) -> None:
    encoder = Encoder(name, plain=True).eval()
    whole = timm.create_model(name, pretrained=False, num_classes=0).eval()
    state = encoder.net.model.state_dict()
    assert not whole.load_state_dict(state, strict=False).unexpected_keys
    side = whole.pretrained_cfg["input_size"][-1]
    images = torch.randn(1, 3, side, side)
    depth = len(whole.feature_info)
    with torch.no_grad():
        expected = whole.forward_intermediates(
            images, indices=spread_over_depth(depth), intermediates_only=True, norm=False
        )
        maps = encoder.net(images)
    for left, right in zip(expected, maps, strict=True):
        assert torch.allclose(left, right, atol=1e-4)


@pytest.mark.parametrize("name", ["test_vit", "eva02_tiny_patch14_224"])
def test_logits_have_the_inputs_size_and_every_layer_a_gradient(name: str) -> None:
    model = build_segmenter(ModelConfig("unet", name, 3))
    for height, width in [(1, 1), (33, 70), (97, 131)]:
        with torch.no_grad():
            assert model.eval()(torch.rand(2, 3, height, width)).shape == (2, 3, height, width)
    (model.train()(torch.rand(2, 3, 64, 96)) * torch.randn(2, 3, 64, 96)).sum().backward()
    idle = [key for key, weights in model.named_parameters() if weights.grad is None]
    assert not [key for key in idle if not key.startswith("encoder.net.model.norm")]
