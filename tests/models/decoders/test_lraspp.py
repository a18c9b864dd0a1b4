from collections.abc import Callable

import torch
from torchvision.models.segmentation.lraspp import LRASPPHead

from pixelwise.models.decoders.lraspp import LRASPP
from pixelwise.models.pyramid import Features, Pyramid


@torch.no_grad()
def test_with_the_same_weights_it_is_that_of_torchvision(
    features: Features, tensors: Callable, fill: Callable
) -> None:
    twin = LRASPPHead(low_channels=40, high_channels=64, num_classes=5, inter_channels=128).eval()
    decoder = LRASPP(Pyramid({8: 40, 16: 64}), 5)
    fill(decoder, tensors(twin))
    expected = twin({"low": features[8], "high": features[16]})
    assert expected.shape == (2, 5, 20, 28)
    result = decoder(Features({8: features[8], 16: features[16]}))
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)
