import pytest
import torch
import torch.nn.functional as F

import pixelwise
from pixelwise.models.transposed_conv import bilinear_kernel


def test_the_fcn_is_that_of_the_paper() -> None:
    decoder = pixelwise.build_model("fcn8s", encoder="vgg11", classes=21).decoder
    scores = dict(decoder.scores.named_children())  # type: ignore[union-attr,operator]
    assert {stride: score.weight.shape for stride, score in scores.items()} == {
        "32": (21, 512, 1, 1),
        "16": (21, 512, 1, 1),
        "8": (21, 512, 1, 1),
    }
    assert [tuple(up.weight.shape) for up in decoder.fusions] == [(21, 21, 4, 4)] * 2  # type: ignore[union-attr,operator]
    assert torch.equal(decoder.upsample.weight, bilinear_kernel(21, 21, 16))  # type: ignore[union-attr]
    bound = (6 / (512 + 21)) ** 0.5  # Glorot and Bengio 2010, equation 16
    weight = scores["32"].weight.detach()
    assert weight.abs().max() <= bound
    assert weight.std() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_the_fcn_adds_the_skip_scores() -> None:
    decoder = pixelwise.build_model("fcn16s", encoder="resnet18", classes=2).decoder
    features = {16: torch.rand(1, 256, 4, 4), 32: torch.rand(1, 512, 2, 2)}
    coarse = F.conv_transpose2d(
        decoder.scores["32"](features[32]), decoder.fusions[0].weight, stride=2, padding=1
    )  # type: ignore
    fused = coarse + decoder.scores["16"](features[16])  # type: ignore
    expected = F.conv_transpose2d(fused, decoder.upsample.weight, stride=16, padding=8)  # type: ignore
    assert torch.allclose(decoder(features), expected, atol=1e-5)
