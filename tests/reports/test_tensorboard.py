from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.optional import require_package
from pixelwise.reports.tensorboard import FOLDER, TensorBoard

QUICK = {
    "epochs": 1,
    "crop": (32, 32),
    "batch": 4,
    "encoder": "test_resnet",
    "weights": "none",
    "decoder": "fcn32s",
}


def events(run: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(run / FOLDER)).Reload()


def row(epoch: int, loss: float) -> dict[str, float]:
    return {"epoch": epoch, "train_loss": loss, "val_loss": loss / 2, "learning_rate": 0.1}


def test_figures_stand_by_epoch_training_beside_validation(tmp_path: Path) -> None:
    Image.fromarray(np.full((5, 7, 3), 9, np.uint8)).save(tmp_path / "samples.png")
    board = TensorBoard(tmp_path, {})
    board.write_epoch(row(1, 4.0), tmp_path / "samples.png")
    board.write_epoch(row(2, 3.0), None)
    found = events(tmp_path)
    assert sorted(found.Tags()["scalars"]) == ["learning_rate", "loss/training", "loss/validation"]
    assert [(e.step, e.value) for e in found.Scalars("loss/training")] == [(1, 4.0), (2, 3.0)]
    assert [e.value for e in found.Scalars("loss/validation")] == [2.0, 1.5]
    assert [(e.step, e.width, e.height) for e in found.Images("samples")] == [(1, 7, 5)]


def test_a_resumed_run_takes_back_the_epochs_it_makes_anew(tmp_path: Path) -> None:
    for epoch, loss in ((1, 4.0), (2, 3.0), (3, 9.0), (2, 2.5)):
        TensorBoard(tmp_path, {}).write_epoch(row(epoch, loss), None)
    assert [(e.step, e.value) for e in events(tmp_path).Scalars("loss/training")] == [
        (1, 4.0),
        (2, 2.5),
    ]


def test_a_run_writes_them_where_asked_to(shapes: Path, tmp_path: Path) -> None:
    run = pixelwise.train(shapes, tmp_path / "run", tensorboard=True, **QUICK)
    found = events(tmp_path / "run")
    assert found.Scalars("mean_iou/validation")[0].value == pytest.approx(run.best.val_mean_iou)
    assert found.Images("samples")
    (text,) = found.Tensors("settings/text_summary")
    assert b"| decoder | fcn32s |" in text.tensor_proto.string_val[0]


def test_without_the_extra_it_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'pixelwise\[tensorboard\]'"):
        require_package("tensorboard")
    with pytest.raises(ConfigError, match="tensorboard"):
        pixelwise.train(tmp_path / "none", tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()
