"""Exports in 8-bit integers."""

from pathlib import Path
from typing import Any

import pytest
import torch

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ModelError
from pixelwise.export import int8
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibration takes a second."""
    monkeypatch.setattr(int8, "CALIBRATION_IMAGES", 2)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    config = ModelConfig("light", "test_resnet", 4)
    torch.manual_seed(0)
    names = ("background", "circle", "square", "triangle")
    path = tmp_path / "m.safetensors"
    save_model(path, build_segmenter(config), Header(config, Classes.named(names)))
    return path


def quantised_convolutions(path: Path) -> dict[bool, int]:
    """How many convolutions take integers, in the encoder (True) and beside it (False)."""
    graph = onnx.load(str(path)).graph
    scaled = {
        output
        for node in graph.node
        if node.op_type == "DequantizeLinear"
        for output in node.output
    }
    counts = {True: 0, False: 0}
    for node in graph.node:
        if node.op_type == "Conv" and {*node.input[:2]} <= scaled:
            counts["/encoder/" in node.name] += 1
    return counts


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_int8_is_kept_within_its_bound_only(
    model: Path,
    shapes: Path,
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if suffix == ".xml":
        pytest.importorskip("openvino")
    out = model.with_suffix(suffix)
    done = int8.export_int8(model, out, shapes)
    assert done.images == 4
    assert done.mean_iou[0] - done.mean_iou[1] <= int8.MAX_IOU_LOSS
    assert capsys.readouterr().out == ""
    exported = pixelwise.load(out)
    scores = pixelwise.evaluate(exported, shapes, split="val").scores
    assert scores.mean_iou == pytest.approx(done.mean_iou[1], abs=1e-6)
    monkeypatch.setattr(int8, "MAX_IOU_LOSS", -1.0)
    with pytest.raises(ModelError, match="nothing was written"):
        int8.export_int8(model, model.with_name(f"n{suffix}"), shapes)
    assert not list(model.parent.glob("n.*"))


def test_less_is_in_int8_where_more_loses_too_much(
    model: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores: list[float] = []

    def worse_at_first(*_: Any) -> tuple[float, float]:
        scores.append((0.9, 0.1, 0.2, 0.9)[len(scores)])
        return scores[-1], 1.0

    float32 = model.with_name("float32.onnx")
    pixelwise.export_model(model, float32)
    whole = sum(node.op_type == "Conv" for node in onnx.load(str(float32)).graph.node)
    counts = []
    for tried in (2, 3, 4):
        scores.clear()
        out = model.with_name(f"{tried}.onnx")
        monkeypatch.setattr(int8, "_evaluate_file", worse_at_first)
        monkeypatch.setattr(int8, "MAX_IOU_LOSS", (0.85, 0.75, 0.01)[tried - 2])
        done = int8.export_int8(model, out, shapes)
        assert len(scores) == tried
        assert done.part == int8.PARTS[tried - 2].name
        counts.append(quantised_convolutions(out))
    assert sum(counts[0].values()) == whole
    assert counts[0][True] > counts[1][True] > counts[2][True] == 0
    assert counts[0][False] == counts[1][False] == counts[2][False] > 0


def test_a_file_of_another_kind_is_refused(model: Path, shapes: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.onnx or \.xml"):
        int8.export_int8(model, model.with_suffix(".int8"), shapes)
