from collections.abc import Callable

import pytest
import torch

from pixelwise.models.decoders.fpn import FPN
from pixelwise.models.pyramid import Features, Pyramid


@torch.no_grad()
def test_with_the_same_weights_it_is_that_of_segmentation_models_pytorch(
    pyramid: Pyramid, features: Features, tensors: Callable, fill: Callable
) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    channels = list(pyramid.channels.values())
    twin = smp.decoders.fpn.decoder.FPNDecoder([3, 8, *channels]).eval()
    head = smp.base.SegmentationHead(128, 5, kernel_size=1)
    laterals = [twin.p5, twin.p4, twin.p3, twin.p2]
    decoder = FPN(pyramid, 5)
    fill(decoder, tensors(*laterals, twin.seg_blocks, head))
    expected = head(twin([*features.values()]))
    assert expected.shape == (2, 5, 40, 56)
    torch.testing.assert_close(decoder(features), expected, atol=1e-4, rtol=1e-4)
