from collections.abc import Callable

import pytest
import torch
from torch import nn

from pixelwise.models.decoders.upernet import UPerNet
from pixelwise.models.pyramid import Features, Pyramid


@torch.no_grad()
def test_with_the_same_weights_it_is_that_of_segmentation_models_pytorch(
    pyramid: Pyramid, features: Features, tensors: Callable, fill: Callable
) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    channels = [3, 8, *pyramid.channels.values()]
    twin = smp.decoders.upernet.decoder.UPerNetDecoder(channels).eval()
    # its layer normalisation of the encoder's features, which is not the paper's
    twin.feature_norms = nn.ModuleList(nn.Identity() for _ in pyramid.channels)
    head = smp.base.SegmentationHead(256, 5, kernel_size=1)
    pairs = zip(twin.fpn_lateral_blocks, twin.fpn_conv_blocks, strict=True)
    laterals, smooths = zip(*pairs, strict=True)
    # smp normalises the pooled value: the same in eval mode as a convolution with other weights
    pooled = twin.psp.blocks[0]
    decoder = UPerNet(pyramid, 5)
    modules = (twin.psp, *laterals, *smooths, twin.fusion_block, head)
    fill(decoder, tensors(*modules, pooled=pooled))
    expected = head(twin([features[4]] * 2 + [*features.values()]))
    assert expected.shape == (2, 5, 40, 56)
    torch.testing.assert_close(decoder(features), expected, atol=1e-4, rtol=1e-4)
