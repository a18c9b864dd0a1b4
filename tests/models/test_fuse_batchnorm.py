from itertools import cycle

import pytest
import torch
from torch import Tensor, nn

from pixelwise.models.fuse_batchnorm import fuse_conv_bn
from pixelwise.models.registry import DECODERS, build_model


def used(model: nn.Module) -> nn.Module:
    """With statistics of its own in each normalisation, as after a training."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = torch.randn(layer.num_features) * 0.2
            layer.running_var = torch.rand(layer.num_features) + 0.5
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.2)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())


ENCODERS = ("tf_efficientnet_lite0", "resnet18", "mobilenetv3_small_100")


@pytest.mark.parametrize(("decoder", "encoder"), [*zip(DECODERS, cycle(ENCODERS))])
@torch.inference_mode()
def test_a_folded_network_gives_the_same_logits_with_few_normalisations(
    decoder: str, encoder: str
) -> None:
    model = used(build_model(decoder, encoder=encoder, classes=3))
    before = norms(model)
    picture = torch.rand(2, 3, 70, 101)
    expected = model(picture)
    result = fuse_conv_bn(model)(picture)
    assert torch.allclose(result, expected, atol=1e-4 * float(expected.abs().max()))
    assert (
        norms(fuse_conv_bn(model)) <= 10 < before == norms(model)
    )  # after features and transposed convolutions


@torch.inference_mode()
def test_where_others_use_what_is_normalised_nothing_is_folded() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 4, 3)
            self.norm = nn.BatchNorm2d(4)

        def forward(self, images: Tensor) -> Tensor:
            features = self.convolution(images)
            return features + self.norm(features)

    model = used(Shared())
    assert fuse_conv_bn(model) is model
