"""A run as W&B writes it to disk; nothing is sent."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.reports.wandb import RUN_ID, WandB

pytest.importorskip("wandb", reason="the extra wandb is not installed")


@pytest.mark.filterwarnings("ignore")  # its own
def test_figures_settings_and_files_stand_in_the_run_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = tmp_path / "run"
    run.mkdir()
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(run / "samples.png")
    (run / "model.safetensors").write_bytes(b"model")
    tracker = WandB(run, {"decoder": "unet", "crop": (64, 64)})
    tracker.write_epoch({"epoch": 1, "val_mean_iou": 0.375}, run / "samples.png")
    tracker.finish({"best_epoch": 1.0}, [run / "model.safetensors"], stopped=False)
    (folder,) = (run / "wandb").glob("offline-run-*")
    assert folder.name.endswith((run / RUN_ID).read_text().strip())
    log = next(folder.glob("run-*.wandb"))
    texts = (b"val_mean_iou", b"0.375", b"decoder", b"unet", b"best_epoch")
    end = time.monotonic() + 30
    while not all(text in log.read_bytes() for text in texts):  # its other process writes late
        assert time.monotonic() < end
        time.sleep(0.1)
    assert list(folder.rglob("samples*.png"))
