import pytest
from torch import nn

from pixelwise.errors import ConfigError
from pixelwise.models.encoder import Encoder
from pixelwise.models.encoder_stages import count_stages, first_layers


def layer_names(encoder: Encoder, stages: int) -> list[str]:
    names = {layer: name for name, layer in encoder.net.named_modules()}
    return [names[layer] for layer in first_layers(encoder, stages)]


def test_stages_of_a_resnet_end_with_its_features() -> None:
    encoder = Encoder("resnet18")
    assert layer_names(encoder, 0) == []
    assert layer_names(encoder, 1) == ["conv1", "bn1"]
    second = layer_names(encoder, 2)
    assert second[:3] == ["conv1", "bn1", "layer1.0.conv1"]
    assert {name.split(".")[0] for name in second} == {"conv1", "bn1", "layer1"}
    with_weights = [
        layer for layer in encoder.net.modules() if list(layer.parameters(recurse=False))
    ]
    assert first_layers(encoder, 5) == with_weights


def test_ends_are_not_taken_for_others_that_begin_alike() -> None:
    """`features.1` is not `features.10`."""
    encoder = Encoder("vgg11_bn")
    layers = first_layers(encoder, 1)
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.BatchNorm2d]


@pytest.mark.parametrize(
    ("name", "stride", "count"),
    [
        ("resnet10t", 4, 2),
        ("resnet10t", 1, 0),
        ("resnet10t", 32, 5),
        ("convnext_atto", 4, 1),  # has nothing finer
        ("hrnet_w18_small", 4, 0),  # its stages run side by side
        ("fcn_alexnet", 4, 0),
    ],
)
def test_stages_are_counted_by_stride(name: str, stride: int, count: int) -> None:
    assert count_stages(Encoder(name), stride=stride) == count


def test_more_stages_than_there_are_is_an_error() -> None:
    with pytest.raises(ConfigError, match="frozen_stages 6: encoder 'resnet10t' has 5 stages"):
        first_layers(Encoder("resnet10t"), 6)
    with pytest.raises(ConfigError, match="has 0 stages"):
        first_layers(Encoder("fcn_alexnet"), 1)
