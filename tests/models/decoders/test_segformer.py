from collections.abc import Callable

import pytest
import torch

from pixelwise.models.decoders.segformer import SegFormer
from pixelwise.models.pyramid import Features, Pyramid


@torch.no_grad()
def test_with_the_same_weights_it_is_that_of_segmentation_models_pytorch(
    pyramid: Pyramid, features: Features, tensors: Callable, fill: Callable
) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    # no channels at stride 2, as of the paper's own encoders
    channels = [3, 0, *pyramid.channels.values()]
    twin = smp.decoders.segformer.decoder.SegformerDecoder(channels).eval()
    head = smp.base.SegmentationHead(256, 5, kernel_size=1)
    linears = []
    for stage in twin.mlp_stage:
        weight, bias = tensors(stage)
        linears += [weight[..., None, None], bias]
    fuse, norm, _ = twin.fuse_stage
    # one convolution of all strides' channels side by side is the sum of one for each
    fusions = fuse.weight.split(256, dim=1)
    decoder = SegFormer(pyramid, 5)
    # layers of a stride stand together in the twin, layers of a kind here
    fill(decoder, [*linears, *fusions, *tensors(norm, head)])
    picture = torch.zeros(2, 3, 160, 224)
    half = torch.zeros(2, 0, 80, 112)
    expected = head(twin([picture, half, *features.values()]))
    assert expected.shape == (2, 5, 40, 56)
    torch.testing.assert_close(decoder(features), expected, atol=1e-4, rtol=1e-4)
