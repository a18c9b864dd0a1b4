"""ResNet-V2 as Keras has it, against Keras's figures and against plain arithmetic."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.encoder import Encoder
from pixelwise.models.encoder_stages import count_stages, first_layers
from pixelwise.models.keras_resnet import KERAS_RESNETS, KerasResNetV2


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("keras_resnet50v2", 23_564_800),
        ("keras_resnet101v2", 42_626_560),
        ("keras_resnet152v2", 58_331_648),
    ],
)
def test_a_network_has_as_many_parameters_as_keras_counts(name: str, parameters: int) -> None:
    """`count_params` of keras.applications, which counts running statistics too."""
    with torch.device("meta"):
        state = KERAS_RESNETS[name]().state_dict()
    assert sum(value.numel() for value in state.values() if value.ndim) == parameters


def features_by_arithmetic(net: KerasResNetV2, blocks: list[int], image: Tensor) -> list[Tensor]:
    """Layer by layer as Keras's documents and summary list them, from the weights alone."""
    state = net.state_dict()

    def convolve(x: Tensor, layer: str, *, stride: int = 1, pad: int = 0) -> Tensor:
        padded = F.pad(x, (pad, pad, pad, pad))
        return F.conv2d(padded, state[f"{layer}.weight"], state.get(f"{layer}.bias"), stride)

    def normalise(x: Tensor, layer: str) -> Tensor:
        mean, variance, gamma, beta = (
            state[f"{layer}.{name}"].reshape(-1, 1, 1)
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (variance + 1.001e-5).sqrt() * gamma + beta).clamp(min=0)

    first = convolve(image, "conv1_conv", stride=2, pad=3)
    features = [first]
    x = F.max_pool2d(F.pad(first, (1, 1, 1, 1)), 3, 2)
    for stage, count in enumerate(blocks, start=2):
        for number in range(1, count + 1):
            block = f"conv{stage}_block{number}"
            seen = normalise(x, f"{block}.preact_bn")
            halves = number == count and stage < 5
            shortcut = convolve(seen, f"{block}.0_conv") if number == 1 else x
            if halves:
                features.append(seen)
                shortcut = shortcut[..., ::2, ::2]
            y = normalise(convolve(seen, f"{block}.1_conv"), f"{block}.1_bn")
            y = convolve(y, f"{block}.2_conv", stride=2 if halves else 1, pad=1)
            x = shortcut + convolve(normalise(y, f"{block}.2_bn"), f"{block}.3_conv")
    return [*features, normalise(x, "post_bn")]


def test_features_are_those_of_plain_arithmetic() -> None:
    torch.manual_seed(0)
    blocks = [2, 3, 2, 2]
    net = KerasResNetV2(blocks, width=4).eval()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.eps == 1.001e-5
            layer.running_mean = torch.randn(layer.num_features) / 4
            layer.running_var = torch.rand(layer.num_features) + 0.1
            nn.init.normal_(layer.weight)
            nn.init.uniform_(layer.bias)
    nn.init.constant_(net["conv1_conv"].bias, -0.3)  # so that padding with zeros counts
    image = torch.rand(2, 3, 64, 96) * 2 - 1
    with torch.no_grad():
        features = net(image)
        expected = features_by_arithmetic(net, blocks, image)
    assert [tuple(feature.shape[1:]) for feature in features] == [
        (width, 64 // stride, 96 // stride) for stride, width in net.channels.items()
    ]
    assert net.channels == {2: 4, 4: 16, 8: 32, 16: 64, 32: 128}
    for feature, truth in zip(features, expected, strict=True):
        assert (truth != 0).float().mean() > 0.3
        assert torch.allclose(feature, truth, rtol=1e-4, atol=1e-5)


def test_as_an_encoder_it_takes_colours_from_minus_1_to_1_and_can_be_frozen_by_stages() -> None:
    encoder = Encoder("keras_resnet50v2")
    assert encoder.mean == encoder.std == (0.5, 0.5, 0.5)
    assert encoder.channels == {2: 64, 4: 256, 8: 512, 16: 1024, 32: 2048}
    assert count_stages(encoder, stride=4) == 2
    assert first_layers(encoder, 2)[-1] is encoder.net["conv2_block3"]["preact_bn"]
    assert first_layers(encoder, 5)[-1] is encoder.net["post_bn"]
