"""A small model made of a good one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pixelwise
from pixelwise.errors import ConfigError, ModelError
from pixelwise.export import compress as module
from pixelwise.export import int8
from pixelwise.export.compress import choose_size, compress

QUICK: dict[str, Any] = {
    "encoder": "test_resnet",
    "decoder": "fcn32s",
    "weights": "none",
    "crop": (32, 32),
    "batch": 4,
    "workers": 0,
    "precision": "float32",
    "epochs": 1,
}


@pytest.fixture(scope="module")
def teacher(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("teacher") / "run"
    pixelwise.train(shapes, run, **QUICK)
    return run


def test_the_small_model_is_measured_beside_its_teacher(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(int8, "CALIBRATION_IMAGES", 2)
    monkeypatch.setattr(int8, "MAX_IOU_LOSS", 1.0)
    rows = compress(teacher, tmp_path / "small", **{**QUICK, "decoder": "light"})
    assert [row.name for row in rows] == ["teacher", "small", "small, int8"]
    assert rows[0].lost is None
    for row in rows[1:]:
        assert row.lost is not None
        assert row.lost.value == pytest.approx(rows[0].mean_iou - row.mean_iou)
        assert row.lost.low <= row.lost.value <= row.lost.high
    assert all(row.milliseconds > 0 and row.mebibytes > 0 for row in rows)
    record = json.loads((tmp_path / "small/run.json").read_text())
    assert record["config"]["teacher"] == [str(teacher)]
    figures = json.loads((tmp_path / "small" / module.FIGURES).read_text())
    assert [row["mean_iou"] for row in figures] == [row.mean_iou for row in rows]


def test_where_int8_is_refused_the_small_model_stays(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConfigError("no onnx here")

    monkeypatch.setattr(module, "export_int8", refuse)
    rows = compress(teacher, tmp_path / "small", **QUICK)
    assert [row.name for row in rows] == ["teacher", "small"]


def test_data_that_nobody_knows_is_asked_for(teacher: Path, tmp_path: Path) -> None:
    alone = tmp_path / "model.safetensors"
    shutil.copy(teacher / "model.safetensors", alone)
    with pytest.raises(ConfigError, match="give the data with --data"):
        compress(alone, tmp_path / "a", **QUICK)
    with pytest.raises(ModelError, match="nowhere: no such file"):
        compress(tmp_path / "nowhere", tmp_path / "d")
    moved = tmp_path / "moved"
    shutil.copytree(teacher, moved)
    record = json.loads((moved / "run.json").read_text())
    record["data"]["root"] = str(tmp_path / "gone")
    (moved / "run.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="is gone; give it with --data"):
        compress(moved, tmp_path / "b", **QUICK)
    with pytest.raises(ConfigError, match="minuets"):
        compress(teacher, tmp_path / "c", minuets=3)


@pytest.mark.parametrize(
    ("decoder", "encoder", "size"),
    [
        ("unet", "resnet10t", "balanced"),
        ("fcn32s", "resnet10t", "balanced"),
        ("light", "tf_efficientnet_lite0", "fast"),
    ],
)
def test_the_next_smaller_size_is_chosen(
    model_file: Callable[..., Path], decoder: str, encoder: str, size: str
) -> None:
    assert choose_size(model_file(decoder, encoder)) == size
