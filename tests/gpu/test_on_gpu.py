"""The way through the package on a real GPU: tests/gpu_fake holds what needs none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.hardware import choose_device, free_memory, gpu_has_bfloat16
from pixelwise.models.transposed_conv import TransposedConv2d
from pixelwise.style_transfer.config import StyleConfig
from pixelwise.style_transfer.features import VggFeatures
from pixelwise.style_transfer.optimization import transfer_style
from pixelwise.training.losses import LOSSES, make_loss

OPTIONS: dict[str, Any] = {
    "encoder": "resnet10t",
    "weights": "none",
    "decoder": "unet",
    "crop": (64, 64),
    "batch": 4,
    "epochs": 2,
}


def test_the_gpu_is_taken() -> None:
    assert choose_device("auto").type == "cuda"
    assert 0 < free_memory("cuda") <= torch.cuda.get_device_properties(0).total_memory


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_a_training_runs(workers: int, precision: str, shapes: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "workers": workers, "precision": precision}
    run = pixelwise.train(shapes, tmp_path / "run", device="cuda", **options)
    assert [row.epoch for row in run.history] == [1, 2]
    assert pixelwise.evaluate(run.path, shapes).scores.images == 4


def test_a_training_is_near_the_cpus(shapes: Path, tmp_path: Path) -> None:
    same = {**OPTIONS, "epochs": 1, "optimizer": "sgd", "workers": 0, "precision": "float32"}
    runs = [
        pixelwise.train(shapes, tmp_path / device, device=device, **same)
        for device in ("cpu", "cuda")
    ]
    expected, weights = (load_file(run.path / "model.safetensors") for run in runs)
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, rtol=2e-2, atol=2e-3)


def test_a_training_goes_on_on_the_other_device(shapes: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "epochs": 1}
    pixelwise.train(shapes, tmp_path / "run", device="cuda", precision="float32", **options)
    pixelwise.train(shapes, tmp_path / "run", resume=True, device="cpu", epochs=2)
    run = pixelwise.train(shapes, tmp_path / "run", resume=True, device="cuda", epochs=3)
    assert [row.epoch for row in run.history] == [1, 2, 3]


@pytest.mark.parametrize("decoder", ["light", "unet", "linknet", "fcn8s", "fcn32s", "pspnet"])
def test_labels_are_the_cpus(decoder: str, model_file: Callable[..., Path], photo: Path) -> None:
    path = model_file(decoder, "resnet10t", 0.75)
    expected = pixelwise.load(path, device="cpu").predict(photo, tta=True)
    for precision in ("float32", *["bfloat16"] * gpu_has_bfloat16()):
        result = pixelwise.load(path, device="cuda", precision=precision).predict(photo, tta=True)
        assert (result.labels == expected.labels).mean() > 0.95
        np.testing.assert_allclose(result.confidence, expected.confidence, atol=0.05)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients_are_the_cpus(name: str) -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 24, 32)
    target = torch.randint(0, 5, (2, 24, 32))
    target[0, :4] = 255
    results = []
    for device in ("cpu", "cuda"):
        scores = logits.to(device).requires_grad_()
        loss = make_loss(name)(scores, target.to(device))
        loss.backward()
        results.append((loss.detach().cpu(), scores.grad.cpu()))
    torch.testing.assert_close(results[1], results[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("stride", [2, 8, 32])
def test_transposed_convolutions_are_pytorchs_in_half_precision(stride: int) -> None:
    if not gpu_has_bfloat16():
        pytest.skip("the GPU has no bfloat16")
    torch.manual_seed(0)
    layer = TransposedConv2d(6, 3, 2 * stride, stride, stride // 2, bias=False).cuda()
    image = torch.randn(2, 6, 5, 7, device="cuda", requires_grad=True)
    with torch.autocast("cuda", torch.bfloat16):
        output = layer(image)
    output.float().square().sum().backward()
    plain = image.detach().clone().requires_grad_()
    expected = torch.nn.functional.conv_transpose2d(
        plain, layer.weight.detach(), stride=stride, padding=stride // 2
    )
    expected.square().sum().backward()
    torch.testing.assert_close(output.float(), expected, rtol=3e-2, atol=3e-2)
    torch.testing.assert_close(image.grad, plain.grad, rtol=5e-2, atol=1.0)


def test_a_tile_that_does_not_fit_is_one_line(model_file: Callable[..., Path]) -> None:
    model = pixelwise.load(model_file(), device="cuda", tile=(2048, 2048))
    share = 128 * 2**20 / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        with pytest.raises(ConfigError, match="cuda has too little free memory for 1 tile"):
            model.predict(np.zeros((2048, 2048, 3), np.uint8))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert model.predict(np.zeros((64, 64, 3), np.uint8)).labels.shape == (64, 64)


def test_a_style_is_near_the_cpus() -> None:
    torch.manual_seed(0)
    network = VggFeatures("vgg16").freeze()
    content = torch.rand(3, 96, 96)
    style = torch.rand(3, 64, 64)
    config = StyleConfig(steps=5, levels=1)
    expected = transfer_style(content, [(style, 1.0)], network, config)
    result = transfer_style(content, [(style, 1.0)], network.to("cuda"), config)
    assert result.image.device.type == "cpu"
    assert (result.image - expected.image).abs().mean() < 0.02


def test_several_gpus_train_one_model(shapes: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    if torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU")
    command = [sys.executable, "-m", "pixelwise", "train", shapes, "--out", tmp_path / "run"]
    words = ["--epochs", "1", "--crop", "64", "64", "--batch", "4", "--set", "devices=2"]
    subprocess.run([*command, *words], check=True, timeout=200)
    assert (tmp_path / "run/model.safetensors").is_file()
