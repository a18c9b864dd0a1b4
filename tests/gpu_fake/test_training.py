"""A whole training on a simulated GPU."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import pixelwise
from pixelwise.errors import TrainingError
from pixelwise.training import run_record
from pixelwise.training.loaders import FixedBatches
from pixelwise.training.run_record import Pictures

OPTIONS: dict[str, Any] = {
    "encoder": "test_resnet",
    "weights": "none",
    "decoder": "fcn32s",
    "crop": (32, 32),
    "batch": 4,
    "epochs": 2,
    "bn_batches": 1,
    "workers": 0,
    "augment": "slight",
}


@pytest.fixture(autouse=True)
def _plain_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pictures are drawn in one training; what they show is of no device."""
    if "options0" in request.node.name:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_record, "draw_curves", lambda history, path: path.touch())
        patch.setattr(Pictures, "_draw_samples", lambda self: (self.run / "samples.png").touch())
        patch.setattr(Pictures, "report", lambda *_: None)
        yield


def _train(data: Path, out: Path, **options: Any) -> dict[str, torch.Tensor]:
    run = pixelwise.train(data, out, **{**OPTIONS, **options})
    return load_file(run.path / "model.safetensors")


def test_a_training_gives_the_cpus_weights(
    shapes: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # not AdamW, which makes steps of rounding errors where a gradient is almost zero
    same: dict[str, Any] = {"precision": "float32", "optimizer": "sgd", "augment": "strong"}
    same["encoder"] = "resnet10t"  # rounding errors grow faster in a network of few channels
    expected = _train(shapes, tmp_path / "cpu", device="cpu", **same)
    request.getfixturevalue("gpu")
    weights = _train(shapes, tmp_path / "gpu", device="cuda", **same)
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-4, atol=1e-5)


def test_a_training_goes_on_on_the_other_device(
    shapes: Path, tmp_path: Path, gpu: pytest.MonkeyPatch
) -> None:
    _train(shapes, tmp_path / "run", device="cuda", epochs=1, precision="float32")
    again = pixelwise.train(shapes, tmp_path / "run", resume=True, device="cpu", epochs=2)
    last = pixelwise.train(shapes, tmp_path / "run", resume=True, device="cuda", epochs=3)
    assert [row.epoch for row in again.history] == [1, 2]
    assert [row.epoch for row in last.history] == [1, 2, 3]
    assert last.history[:2] == again.history


@pytest.mark.parametrize(
    "options",
    [
        {"decoder": "unet", "loss": "focal + lovasz", "class_weights": "median"},
        {"decoder": "linknet", "loss": "ohem + boundary", "paste": 0.5, "accumulate": 2},
        {
            "decoder": "fcn8s",
            "optimizer": "sgd",
            "clip": 1.0,
            "loss": "tversky",
            "label_smoothing": 0.1,
        },
        {"decoder": "unet", "encoder": "mobilenetv3_small_050", "ema": 0.0, "freeze": 1},
    ],
)
def test_every_part_of_a_step_is_on_the_gpu(
    options: dict[str, Any], shapes: Path, tmp_path: Path, gpu: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    progress = pixelwise.progress.Progress()
    progress.log = lines.append  # type: ignore[method-assign]
    assert _train(shapes, tmp_path / "run", device="auto", epochs=1, progress=progress, **options)
    assert "precision bfloat16: the GPU supports it" in lines


@pytest.mark.parametrize("where", ["step", "validation", "trial"])
def test_too_little_memory_is_one_line(
    where: str, shapes: Path, tmp_path: Path, gpu: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    options: dict[str, Any] = {}
    advice = "images are taken whole"
    if where == "step":
        gpu.setattr("lightning_fabric.Fabric.backward", fail)
        advice = "steps of 2 samples of 32 x 32"  # the smallest batches
    elif where == "validation":
        gpu.setattr(FixedBatches, "__iter__", fail)
    else:
        gpu.setattr("torch.Tensor.argmax", fail)
        options = {"epochs": None, "minutes": 1}
    with pytest.raises(TrainingError, match=f"cuda has too little free memory for.*{advice}"):
        _train(shapes, tmp_path / "run", device="cuda", **options)


def test_the_profile_is_the_gpus_only_where_it_computes(
    gpu: pytest.MonkeyPatch, recorded: Callable[[], Any]
) -> None:
    from pixelwise.training.profiling import OperatorProfile, Stopwatch

    lines: list[str] = []
    with OperatorProfile(lines.append, enabled=True, device="cpu") as operators:
        for _ in range(6):
            operators.step()
            torch.ones(64, 64) @ torch.ones(64, 64)
    assert any("aten::mm" in line for line in lines)
    calls: list[str] = []
    gpu.setattr(torch.cuda, "synchronize", lambda: calls.append("synchronize"))
    with Stopwatch(waits_for_gpu=True)("forward"):
        pass
    with Stopwatch()("forward"):
        pass
    assert calls == ["synchronize"]
