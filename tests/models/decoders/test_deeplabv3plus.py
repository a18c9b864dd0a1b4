from collections.abc import Callable

import pytest
import torch

from pixelwise.models.decoders.deeplabv3plus import RATES, DeepLabV3Plus
from pixelwise.models.pyramid import Features, Pyramid


@torch.no_grad()
def test_with_the_same_weights_it_is_that_of_segmentation_models_pytorch(
    features: Features, tensors: Callable, fill: Callable
) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    twin = smp.decoders.deeplabv3.decoder.DeepLabV3PlusDecoder(
        [3, 8, 24, 40, 64, 64],
        encoder_depth=5,
        out_channels=256,
        atrous_rates=RATES,
        output_stride=16,
        aspp_separable=True,
        aspp_dropout=0.5,
    ).eval()
    head = smp.base.SegmentationHead(256, 5, kernel_size=1)
    # smp normalises the pooled value: the same in eval mode as a convolution with other weights
    pooled = twin.aspp[0].convs[4]
    # its pointwise convolutions stand in a sequence of their own
    decoder = DeepLabV3Plus(Pyramid({4: 24, 16: 64}), 5)
    fill(decoder, tensors(twin.aspp, twin.block1, twin.block2, head, pooled=pooled))
    expected = head(twin([features[4]] * 3 + [features[16]]))
    assert expected.shape == (2, 5, 40, 56)
    result = decoder(Features({4: features[4], 16: features[16]}))
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("channels", "dilations"),
    [({4: 24, 16: 64}, [6, 12, 18]), ({4: 24, 8: 40, 16: 64, 32: 96}, [3, 6, 9])],
)
def test_dilations_reach_as_far_in_the_image_at_each_stride(
    channels: dict[int, int], dilations: list[int]
) -> None:
    decoder = DeepLabV3Plus(Pyramid(channels), 5)
    branches = decoder.context[0].branches[1:4]  # type: ignore[union-attr,index]
    assert [branch[0].dilation for branch in branches] == [(d, d) for d in dilations]  # type: ignore[union-attr]
