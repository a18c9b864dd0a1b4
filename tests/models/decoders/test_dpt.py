from collections.abc import Callable

import pytest
import torch
from torch import nn

from pixelwise.models.decoders.dpt import DPT
from pixelwise.models.pyramid import Features, Pyramid


@torch.no_grad()
def test_with_the_same_weights_it_is_that_of_segmentation_models_pytorch(
    pyramid: Pyramid, features: Features, tensors: Callable, fill: Callable
) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    channels = list(pyramid.channels.values())
    twin = smp.decoders.dpt.decoder.DPTDecoder(
        encoder_out_channels=channels,
        encoder_output_strides=list(pyramid.channels),
        encoder_has_prefix_tokens=False,
        readout="ignore",
        intermediate_channels=channels,
    ).eval()
    head = smp.decoders.dpt.decoder.DPTSegmentationHead(256, 5, upsampling=1.0).eval()
    for block in twin.reassemble_blocks:
        # the encoder gives maps already
        block.project_to_out_channel = nn.Identity()
    decoder = DPT(pyramid, 5)
    projections = twin.reassemble_blocks[::-1]
    fill(decoder, tensors(*projections, twin.fusion_blocks, head))
    expected = head(twin([*features.values()], [None] * 4))
    assert expected.shape == (2, 5, 80, 112)
    torch.testing.assert_close(decoder(features), expected, atol=1e-4, rtol=1e-4)
