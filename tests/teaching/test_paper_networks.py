"""Classifiers that slide give what they give window by window."""

import pytest
import torch
from torch import nn
from torchvision.models import alexnet, resnet18, vgg11

from pixelwise.errors import ConfigError
from pixelwise.teaching.paper_networks import convolutionalize, shift_and_stitch


def unpadded(network: nn.Module) -> nn.Module:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.padding = (0, 0)
    return network


def small_vgg(*, side: int) -> nn.Module:
    """VGG-11's convolutions with a narrow classifier over a map of the given side."""
    network = vgg11(weights=None)
    network.classifier = nn.Sequential(
        nn.Linear(512 * side**2, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 8)
    )
    return network.eval()


@pytest.mark.parametrize("network", [alexnet, "vgg11"])
def test_a_convolutionalized_classifier_is_the_classifier(network: object) -> None:
    torch.manual_seed(0)
    classifier = alexnet(weights=None).eval() if network is alexnet else small_vgg(side=7)
    picture = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        expected = classifier(picture)
        found = convolutionalize(classifier)(picture)
    assert found.shape[-2:] == (1, 1)
    assert torch.allclose(found.flatten(1), expected, atol=1e-5)


@pytest.mark.parametrize("network", ["alexnet", "vgg11"])
def test_one_pass_gives_what_36_windows_of_the_features_give(network: str) -> None:
    """With the padding of the convolutions: the classifier at 6 x 6 places of the feature map of
    384 x 384 pixels.
    """
    torch.manual_seed(0)
    classifier = alexnet(weights=None).eval() if network == "alexnet" else small_vgg(side=7)
    side = 6 if network == "alexnet" else 7
    picture = torch.rand(1, 3, 384, 384)
    with torch.no_grad():
        found = convolutionalize(classifier)(picture)  # (1, classes, 6, 6)
        features = classifier.features(picture)
        windows = [
            features[..., y : y + side, x : x + side].flatten(1) for y in range(6) for x in range(6)
        ]
        expected = torch.cat([classifier.classifier(window) for window in windows])
    assert found.shape[-2:] == (6, 6)
    assert torch.allclose(found[0].flatten(1).t(), expected, atol=1e-4)


def test_one_pass_gives_what_36_crops_give_where_nothing_is_padded() -> None:
    """384 x 384 pixels in one pass, and 36 crops of 224 x 224 at stride 32."""
    torch.manual_seed(0)
    network = small_vgg(side=3)
    with torch.no_grad():
        assert unpadded(network).features(torch.rand(1, 3, 224, 224)).shape[-2:] == (
            3,
            3,
        )  # 7 x 7 with padding
        network.avgpool = nn.Identity()
        picture = torch.rand(1, 3, 384, 384)
        found = convolutionalize(network)(picture)
        crops = [
            picture[..., y : y + 224, x : x + 224]
            for y in range(0, 161, 32)
            for x in range(0, 161, 32)
        ]
        expected = torch.cat([network(crop) for crop in crops])
    assert found.shape == (1, 8, 6, 6)
    assert torch.allclose(found[0].flatten(1).t(), expected, atol=1e-4)
    assert expected.std(0).max() > 1e-4  # the 36 answers differ, so that equality says something


@pytest.mark.parametrize("step", [1, 2, 4])
def test_shift_and_stitch_is_what_the_field_sees_at_each_place(step: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 2, 2),
    ).eval()
    field = 14  # conv 3, pool 2, conv 3 at stride 2, pool 2 at stride 2, conv 2 at stride 4
    picture = torch.rand(1, 3, 34, 41)
    with torch.no_grad():
        found = shift_and_stitch(network, picture, stride=4, step=step)
        rows, columns = ((size - field) // step + 1 for size in picture.shape[-2:])
        places = [(y * step, x * step) for y in range(rows) for x in range(columns)]
        seen = [network(picture[..., y : y + field, x : x + field]).flatten() for y, x in places]
        expected = torch.stack(seen, dim=1).reshape(-1, rows, columns)
    assert found.shape[-2:] == (rows, columns)
    assert torch.allclose(found[0], expected, atol=1e-5)


def test_a_step_that_does_not_divide_and_a_network_without_classifier_are_refused() -> None:
    with pytest.raises(ConfigError, match="must divide"):
        shift_and_stitch(nn.Identity(), torch.rand(1, 3, 8, 8), stride=4, step=3)
    with pytest.raises(ConfigError, match="ResNet: needs `features`"):
        convolutionalize(resnet18(weights=None))
