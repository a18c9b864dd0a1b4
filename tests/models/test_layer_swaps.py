import copy

import numpy as np
import pytest
import timm
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame
from timm.layers.std_conv import ScaledStdConv2dSame, StdConv2dSame
from torch import Tensor, nn

from pixelwise.models.encoder import Encoder
from pixelwise.models.layer_swaps import (
    keep_pool_indices,
    pad_by_constants,
    pad_valid_layers,
    run_depthwise_in_float32,
)
from pixelwise.models.pretrained import PACKAGES

# With depthwise convolutions that pad as TensorFlow does, with 2x2 max-poolings, with neither.
NETWORKS = ["tf_efficientnet_lite0", "dla46_c", "resnet18"]


def create_network(name: str) -> nn.Module:
    network: nn.Module = timm.create_model(name, features_only=True, pretrained=False)
    return network


@pytest.fixture(params=NETWORKS)
def networks(request: pytest.FixtureRequest) -> tuple[nn.Module, nn.Module]:
    """Two networks of timm with the same weights, of which the second has all layers swapped."""
    plain = create_network(request.param)
    swapped = copy.deepcopy(plain)
    keep_pool_indices(swapped)
    run_depthwise_in_float32(swapped)
    return plain, swapped


def same_bits(first: Tensor, second: Tensor) -> bool:
    return first.dtype == second.dtype and torch.equal(first, second)


def test_swapped_layers_keep_the_names_of_their_weights(
    networks: tuple[nn.Module, nn.Module],
) -> None:
    plain, swapped = networks
    assert list(swapped.state_dict()) == list(plain.state_dict())
    assert [name for name, _ in swapped.named_modules()] == [
        name for name, _ in plain.named_modules()
    ]
    changed = [
        type(after).__name__
        for before, after in zip(plain.modules(), swapped.modules(), strict=True)
        if type(before) is not type(after)
    ]
    assert set(changed) <= {"MaxPoolWithIndices", "Conv2dInFloat32", "Conv2dSameInFloat32"}


@pytest.mark.parametrize("training", [False, True])
def test_swapped_layers_change_no_bit_of_the_outputs(
    networks: tuple[nn.Module, nn.Module], training: bool
) -> None:
    images = torch.rand(2, 3, 64, 96)
    results = []
    for network in networks:
        network.train(training)
        torch.manual_seed(0)  # of dropped paths
        with torch.no_grad():
            results.append(network(images))
    plain, swapped = results
    assert all(same_bits(before, after) for before, after in zip(plain, swapped, strict=True))


def test_the_networks_of_this_test_have_layers_to_swap() -> None:
    assert keep_pool_indices(create_network("dla46_c"))
    lite = create_network("tf_efficientnet_lite0")
    run_depthwise_in_float32(lite)
    assert sum("InFloat32" in type(layer).__name__ for layer in lite.modules()) == 16


def test_depthwise_layers_stay_in_float32_under_autocast() -> None:
    encoder = Encoder("tf_efficientnet_lite0").eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mixed = encoder(x)
    with torch.no_grad():
        plain = encoder(x)
    assert np.corrcoef(mixed[32].float().flatten(), plain[32].flatten())[0, 1] > 0.99
    assert all(packaged in PACKAGES for packaged in ["tf_efficientnet_lite0"])


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "tf_mobilenetv3_small_minimal_100"])
def test_constant_padding_gives_the_same_features_of_sides_that_are_multiples_of_32(
    name: str,
) -> None:
    network = create_network(name).eval()
    run_depthwise_in_float32(network)
    constant = pad_by_constants(copy.deepcopy(network))
    assert not any(type(layer).__name__.startswith("Conv2dSame") for layer in constant.modules())
    image = torch.rand(1, 3, 96, 64)
    with torch.no_grad():
        for first, second in zip(network(image), constant(image), strict=True):
            torch.testing.assert_close(first, second)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (4, 4), (7, 4), (2, 2)])
def test_constant_padding_is_that_of_tensorflow(kernel: int, stride: int) -> None:
    layers = (
        Conv2dSame(3, 4, kernel, stride),
        StdConv2dSame(3, 4, kernel, stride, padding="same"),
        ScaledStdConv2dSame(3, 4, kernel, stride, padding="same"),
        MaxPool2dSame(kernel, stride),
        AvgPool2dSame(kernel, stride),
    )
    images = torch.randn(1, 3, 8 * stride, 4 * stride)
    for layer in layers:
        expected = layer(images)
        constant = pad_by_constants(nn.Sequential(copy.deepcopy(layer)))
        torch.testing.assert_close(constant(images), expected)


def test_layers_that_crop_a_border_are_padded_by_half_their_kernel() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(4, 4, (1, 7)),
        nn.Conv2d(4, 4, 2, stride=2),  # cuts the image into patches
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 1),
        Conv2dSame(4, 4, 3),  # pads by itself
    )
    pad_valid_layers(network)
    paddings = [layer.padding for layer in network]
    assert paddings == [(1, 1), (1, 1), (0, 3), (0, 0), (1, 1), (0, 0), (0, 0)]
