"""Two real processes on the CPU, started as a user starts them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.models.registry import build_model
from pixelwise.training.config import TrainConfig
from pixelwise.training.distributed import (
    LostError,
    detect_lost_ranks,
    launch,
    per_rank_batch,
    sync_batchnorm,
)
from pixelwise.training.history import read_history
from pixelwise.training.loaders import Epochs

OWN_OPTIONS: dict[str, Any] = {
    "encoder": "test_convnext",
    "decoder": "fcn32s",
    "weights": "none",
    "crop": (32, 32),
    "batch": 4,
    "epochs": 1,
    "precision": "float32",
    "augment": "none",
    "loss": "cross_entropy",
}
OTHER_OPTIONS: dict[str, Any] = {
    "plain": True,
    "workers": 0,
    "optimizer": "sgd",
    "decay": "constant",
    "warmup": 0.0,
    "ema": 0,
}
OPTIONS = OWN_OPTIONS | OTHER_OPTIONS


@pytest.fixture(scope="module")
def alone(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    pixelwise.train(shapes, run, **OPTIONS)
    return run


def start_by_command(data: Path, run: Path) -> None:
    words = [sys.executable, "-m", "pixelwise", "train", str(data), "--out", str(run)]
    for name, value in OWN_OPTIONS.items():
        words += [f"--{name}", *map(str, value if isinstance(value, tuple) else [value])]
    for name, value in (OTHER_OPTIONS | {"devices": 2}).items():
        words += ["--set", f"{name}={str(value).lower()}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("model.safetensors") == 1, "one process speaks"


def start_by_torchrun(data: Path, run: Path) -> None:
    """What torchrun does; its processes are forked, and so need not import all anew."""
    setting = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="fork",
    )
    elastic_launch(setting, train_one)(data, run)


def train_one(data: Path, run: Path) -> None:
    pixelwise.train(data, run, **OPTIONS)


@pytest.mark.parametrize("start", [start_by_command, start_by_torchrun])
def test_two_processes_take_the_steps_of_one(
    shapes: Path, alone: Path, tmp_path: Path, start: Callable[[Path, Path], None]
) -> None:
    """Without batch normalisation, void or dropout, the mean of two halves' gradients is the whole
    batch's.
    """
    start(shapes, tmp_path / "two")
    runs = (alone, tmp_path / "two")
    one, both = (torch.load(run / "state/last.pt", weights_only=True) for run in runs)
    assert one["steps"] == both["steps"] == 3
    for name, weight in one["model"].items():
        torch.testing.assert_close(weight, both["model"][name], rtol=1e-4, atol=1e-6)
    whole, shared = (read_history(run / "history.csv")[0] for run in runs)
    assert shared.val_mean_iou == pytest.approx(whole.val_mean_iou, abs=1e-5)
    assert shared.val_loss == pytest.approx(whole.val_loss, rel=1e-4)
    assert shared.train_pixel_accuracy == pytest.approx(whole.train_pixel_accuracy, abs=1e-5)


def test_the_parts_of_an_epoch_are_a_whole_one_dealt_out() -> None:
    whole = list(Epochs(11, 3))
    parts = [list(Epochs(11, 3, (number, 2))) for number in (0, 1)]
    assert [len(part) for part in parts] == [5, 5]
    assert [item for pair in zip(*parts, strict=True) for item in pair] == whole[:10]


def test_a_batch_that_cannot_be_dealt_out_is_refused() -> None:
    fabric = launch(TrainConfig.from_flat(device="cpu"))
    assert per_rank_batch(fabric, 8) == 8

    class Three:
        world_size = 3

    for batch in (8, 3):
        with pytest.raises(
            ConfigError, match=f"batch {batch} on 3 processes: choose a multiple of 3, at least 6"
        ):
            per_rank_batch(Three(), batch)  # type: ignore[arg-type]


def test_several_processes_that_train_as_one_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of `srun -n 4` without devices: they would write one folder."""
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(ConfigError, match=r"started as one of several.*give --set devices=N"):
        launch(TrainConfig.from_flat(device="cpu"))


def test_more_processes_than_cards_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(
        ConfigError, match="4 processes, each on a GPU of its own, but this machine has 1"
    ):
        launch(TrainConfig.from_flat(device="cuda", devices=4))


@pytest.mark.parametrize("encoder", ["tf_efficientnet_lite0", "resnet18"])
def test_norms_over_all_cards_are_the_same_network(encoder: str) -> None:
    model = build_model("unet", encoder=encoder, classes=3, weights="none").eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        before = model(image)
        torch.testing.assert_close(sync_batchnorm(model)(image), before, rtol=0, atol=0)
    assert not any(type(part) in (nn.BatchNorm2d, BatchNormAct2d) for part in model.modules())


def test_what_the_network_says_of_lost_processes_is_one_line() -> None:
    class Fabric:
        world_size = 2

    said = (
        "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer "
        "[10.0.0.2]:4711"
    )
    told = r"are lost \(Connection closed by peer .*start all of them again with --resume"
    with pytest.raises(LostError, match=told), detect_lost_ranks(Fabric()):  # type: ignore[arg-type]
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="shapes differ"), detect_lost_ranks(Fabric()):  # type: ignore[arg-type]
        raise RuntimeError("shapes differ")
