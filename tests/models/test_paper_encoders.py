"""Classifiers that slide, the papers' own encoders, and the networks as published."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import alexnet, resnet18, vgg11

import pixelwise
from pixelwise.errors import ConfigError, WeightsError
from pixelwise.models.encoder import Encoder
from pixelwise.models.paper_encoders import (
    convolutionalize,
    fcn_alexnet,
    fcn_vgg16,
    shift_and_stitch,
)
from pixelwise.models.pretrained import load_weights


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


def test_the_encoders_of_fcn_keep_sizes_and_torchvisions_names(tmp_path: Path) -> None:
    encoder = Encoder("fcn_alexnet", plain=True)
    features = encoder(torch.rand(1, 3, 64, 96))
    assert {s: tuple(f.shape[1:]) for s, f in features.items()} == {
        8: (64, 8, 12),
        16: (192, 4, 6),
        32: (4096, 2, 3),
    }
    state = alexnet(weights=None).state_dict()
    save_file(state, tmp_path / "alexnet.safetensors")
    load_weights(encoder, str(tmp_path / "alexnet.safetensors"))
    assert torch.equal(encoder.net.classifier[1].weight.flatten(1), state["classifier.1.weight"])


def test_vgg16_as_in_fcn() -> None:
    net = fcn_vgg16()
    assert net.channels == {8: 256, 16: 512, 32: 4096}
    names = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert names["classifier.0.weight"] == (4096, 512, 7, 7)
    assert names["classifier.3.weight"] == (4096, 4096, 1, 1)
    with torch.no_grad():
        assert [tuple(f.shape[1:]) for f in net.eval()(torch.rand(1, 3, 64, 32))] == [
            (256, 8, 4),
            (512, 4, 2),
            (4096, 2, 1),
        ]


def test_alexnets_interior_sees_what_the_classifier_sees() -> None:
    """fc7 at one place is that of the classifier on the picture around it: padding only changes
    what is at borders.
    """
    torch.manual_seed(0)
    net = fcn_alexnet().eval()
    classifier = alexnet(weights=None).eval()
    net.load_state_dict(
        {
            n: v.reshape(net.state_dict()[n].shape)
            for n, v in classifier.state_dict().items()
            if n in net.state_dict()
        }
    )
    unpadded(classifier)
    unpadded(net)
    net.stem = net.border = (0, 0)
    picture = torch.rand(1, 3, 384, 384)
    with torch.no_grad():
        expected = convolutionalize(classifier)[1][:6](classifier.features(picture))
        assert expected.shape[-1] > 0
        found = net(picture)[-1]
    size = expected.shape[-1]
    assert torch.allclose(found[..., :size, :size], expected, atol=1e-5)


def test_offline_torchvisions_weights_name_the_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("unreachable")

    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    with pytest.raises(WeightsError, match=r"'fcn_alexnet' are not here.*--weights FILE"):
        load_weights(Encoder("fcn_alexnet"), "auto")


def test_the_papers_u_net() -> None:
    """Ronneberger et al. 2015, figure 1: 64 to 1024 channels, 31.0 million weights with two
    classes.
    """
    model = pixelwise.build_model("unet", encoder="unet", classes=2, plain=True)
    assert sorted(model.encoder.channels.items()) == [
        (1, 64),
        (2, 128),
        (4, 256),
        (8, 512),
        (16, 1024),
    ]
    assert [tuple(up.weight.shape) for up in model.decoder.ups] == [  # type: ignore[union-attr]
        (1024, 512, 2, 2),
        (512, 256, 2, 2),
        (256, 128, 2, 2),
        (128, 64, 2, 2),
    ]
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(convolutions) == 23  # "In total the network has 23 convolutional layers", section 2
    weights = sum(p.numel() for m in convolutions for p in m.parameters())
    assert weights / 1e6 == pytest.approx(31.0, abs=0.1)
    assert "untrained" in load_weights(model.encoder, "auto")


def test_the_papers_linknet_has_less_than_half_of_u_nets_weights() -> None:
    """Chaurasia and Culurciello 2017, table II: 11.5 million."""
    count = {
        decoder: sum(
            p.numel()
            for p in pixelwise.build_model(decoder, encoder=own, classes=2, plain=True).parameters()
        )
        for decoder, own in (("linknet", "resnet18"), ("unet", "unet"))
    }
    assert count["linknet"] / 1e6 == pytest.approx(11.5, abs=0.1)
    assert count["linknet"] < count["unet"] / 2


@pytest.mark.parametrize("encoder", ["resnet18", "resnetv2_101"])
def test_the_courses_networks_keep_the_pictures_size(encoder: str) -> None:
    model = pixelwise.build_model("fcn32s", encoder=encoder, classes=21, plain=True).eval()
    picture = torch.rand(1, 3, 320, 480)
    with torch.no_grad():
        features = model.encoder(picture)[32]
        assert features.shape == (1, 512 if encoder == "resnet18" else 2048, 10, 15)
        assert model(picture).shape == (1, 21, 320, 480)


def test_plain_is_the_encoder_the_scores_and_the_upsampling_alone() -> None:
    """FCN-32s as the course composes it, from PyTorch's own layers."""
    model = pixelwise.build_model("fcn32s", encoder="resnet18", classes=5, plain=True).eval()
    picture = torch.rand(1, 3, 64, 96)
    normalised = (picture - model.mean) / model.std

    def features(x: Tensor) -> Tensor:
        net = resnet18(weights=None).eval()
        net.load_state_dict(model.encoder.net.state_dict(), strict=False)
        return nn.Sequential(*list(net.children())[:-2])(x)

    with torch.no_grad():
        scores = model.decoder.scores["32"](features(normalised))  # type: ignore[index,operator]
        expected = F.conv_transpose2d(scores, model.decoder.upsample.weight, stride=32, padding=16)  # type: ignore
        assert torch.allclose(model(picture), expected, atol=1e-4)
