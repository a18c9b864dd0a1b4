from collections.abc import Callable

import pytest
import torch
from torch import nn

from pixelwise.models.decoders.unetplusplus import UNetPlusPlus
from pixelwise.models.pyramid import Features, Pyramid


@torch.no_grad()
def test_with_the_same_weights_it_is_that_of_segmentation_models_pytorch(
    pyramid: Pyramid, features: Features, tensors: Callable, fill: Callable
) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    channels = list(pyramid.channels.values())
    twin = smp.decoders.unetplusplus.decoder.UnetPlusPlusDecoder(
        [3, *channels], [*channels[-2::-1], 16], n_blocks=4
    ).eval()
    # two convolutions at twice the finest stride, without a skip connection
    twin.blocks["x_0_3"] = nn.Identity()
    head = smp.base.SegmentationHead(24, 5, kernel_size=1)
    nodes = [twin.blocks[f"x_{name}"] for name in ("0_0", "1_1", "2_2", "0_1", "1_2", "0_2")]
    decoder = UNetPlusPlus(pyramid, 5)
    fill(decoder, tensors(*nodes, head))
    expected = head(twin([torch.zeros(2, 3, 80, 112), *features.values()]))
    assert expected.shape == (2, 5, 40, 56)
    torch.testing.assert_close(decoder(features), expected, atol=1e-4, rtol=1e-4)
