"""Training by Ray Train on two nodes against torchrun on one machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pixelwise.cluster import train_job as module
from pixelwise.cluster.engine import Cluster
from pixelwise.cluster.log_relay import LogRelay
from pixelwise.cluster.train_job import (
    TrainTask,
    _files,
    _paths,
    train_loop_per_worker,
    train_on_cluster,
)
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, OutputError, PixelwiseError
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # Ray Train's of its own settings

CONFIG = TrainConfig.from_flat(
    encoder="resnet10t",
    decoder="fcn32s",
    weights="none",
    crop=(32, 32),
    batch=4,
    epochs=3,
    precision="float32",
    device="cpu",
    workers=0,
    augment="light",
)
OPTIONS = (
    "--encoder resnet10t --decoder fcn32s --weights none --crop 32 32 --batch 4 --epochs 3 "
    "--precision float32 --device cpu --set workers=0 --augment light"
)


class Killing(Progress):
    """Kills a training process when the first epoch is said to be done."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.lines = list[str]()
        self.killed = 0

    def log(self, text: str) -> None:
        self.lines.append(text)
        if text.startswith("epoch 1") and not self.killed:
            from hurt import processes

            self.killed = max(processes(self.cluster, "RayTrainWorker"))
            os.kill(self.killed, signal.SIGKILL)


@pytest.fixture
def two_nodes(ray: Any) -> Any:
    """As many as other tests have not taken away."""
    from hurt import NODE

    while len(ray.test_cluster.list_all_nodes()) < 2:
        ray.test_cluster.add_node(**NODE)
    return ray.test_cluster


@pytest.mark.skipif(
    "PIXELWISE_LONG" not in os.environ, reason="takes a minute; PIXELWISE_LONG=1 runs it"
)
def test_a_training_that_loses_a_process_ends_with_the_weights_of_torchrun(
    two_nodes: Any, shapes: Path, tmp_path: Path
) -> None:
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    words = [
        *torchrun,
        "-m",
        "pixelwise",
        "train",
        str(shapes),
        "--out",
        str(tmp_path / "torchrun"),
        *OPTIONS.split(),
    ]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    progress = Killing(two_nodes)
    run = train_on_cluster(
        shapes, tmp_path / "ray", config=CONFIG, cluster=Cluster(workers=2), progress=progress
    )
    assert progress.killed
    assert sum("training begins in 2 processes" in line for line in progress.lines) == 2, (
        progress.lines
    )
    assert [row.epoch for row in run.history] == [1, 2, 3]
    one, other = (
        torch.load(tmp_path / name / "state/last.pt", weights_only=True)
        for name in ("torchrun", "ray")
    )
    assert one["steps"] == other["steps"]
    assert all(torch.equal(weight, other["model"][name]) for name, weight in one["model"].items())
    assert not (run.path / "ray").exists()
    assert (run.path / "report.html").is_file()


class Driver:
    """Stands for the handle of a LogRelay, and for what its answers are got with."""

    def __init__(self) -> None:
        self.relay = LogRelay()

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self.relay, name))

    def get(self, answer: Any) -> Any:
        return answer


def test_data_that_cannot_be_learned_from_ends_the_training_and_not_only_a_process(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver()
    tried = list[str]()
    monkeypatch.setattr(module, "require_package", lambda name: driver)
    monkeypatch.setattr(os, "environ", {**os.environ, "RANK": "0", "WORLD_SIZE": "1"})
    told = {"task": TrainTask(tmp_path / "none", tmp_path / "run", CONFIG, DataOptions(), driver)}
    with pytest.raises(PixelwiseError, match="none"):
        train_loop_per_worker(told)
    refusal, _ = driver.relay.outcome()
    assert str(tmp_path / "none") in refusal
    assert driver.relay.take_lines() == ["training begins in 1 processes"]
    monkeypatch.setattr(module, "train_worker", lambda *given, **options: tried.append("begun"))
    train_loop_per_worker(told)
    assert not tried, "nor is it tried again"


def test_a_folder_with_another_run_is_refused_before_a_cluster_is_reached(
    shapes: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="give --resume"):
        train_on_cluster(shapes, tmp_path, config=CONFIG, cluster=Cluster("127.0.0.1:1"))


def test_a_pool_of_photos_is_refused_before_a_cluster_is_sought(
    shapes: Path, tmp_path: Path
) -> None:
    config = CONFIG.with_options(unlabelled=str(shapes))
    with pytest.raises(ConfigError, match="unlabelled on a cluster"):
        train_on_cluster(shapes, tmp_path / "run", config=config, cluster=Cluster("127.0.0.1:1"))
    assert not (tmp_path / "run").exists()


def test_the_files_that_a_config_names_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("first.safetensors").touch()
    assert _files(CONFIG.with_options(start="first.safetensors")) == {
        "start": str(tmp_path / "first.safetensors")
    }
    (tmp_path / "large").mkdir()
    teachers = _files(CONFIG.with_options(teacher=("large", "animals")))
    assert teachers == {"teacher": (str(tmp_path / "large"), "animals")}
    assert _paths(teachers) == [tmp_path / "large"]
    assert _files(CONFIG) == _files(CONFIG.with_options(weights="auto", start="bundled")) == {}


def test_classes_that_overlap_are_refused_before_a_cluster_is_sought(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="multilabel on a cluster"):
        train_on_cluster(tmp_path, tmp_path / "run", cluster=Cluster("nowhere"), multilabel=True)
