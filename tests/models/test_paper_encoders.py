"""The papers' own encoders, and the networks as published."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import alexnet, resnet18

import pixelwise
from pixelwise.errors import WeightsError
from pixelwise.models.encoder import Encoder
from pixelwise.models.paper_encoders import fcn_alexnet, fcn_vgg16
from pixelwise.models.pretrained import load_weights
from pixelwise.teaching.paper_networks import convolutionalize


def unpadded(network: nn.Module) -> nn.Module:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.padding = (0, 0)
    return network


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
        result = net(picture)[-1]
    size = expected.shape[-1]
    assert torch.allclose(result[..., :size, :size], expected, atol=1e-5)


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


@pytest.mark.parametrize("encoder", ["resnet18", "keras_resnet101v2"])
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
