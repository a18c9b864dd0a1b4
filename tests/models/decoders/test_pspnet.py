from collections.abc import Callable

import pytest
import torch

from pixelwise.models.decoders.pspnet import PSPNet
from pixelwise.models.pyramid import Features, Pyramid


@torch.no_grad()
def test_with_the_same_weights_it_is_that_of_segmentation_models_pytorch(
    pyramid: Pyramid, features: Features, tensors: Callable, fill: Callable
) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    twin = smp.decoders.pspnet.decoder.PSPDecoder([*pyramid.channels.values()]).eval()
    head = smp.base.SegmentationHead(512, 5, kernel_size=3)
    decoder = PSPNet(pyramid, 5)
    fill(decoder, tensors(twin, head))
    expected = head(twin([*features.values()]))
    assert expected.shape == (2, 5, 5, 7)
    torch.testing.assert_close(decoder(features), expected, atol=1e-4, rtol=1e-4)
