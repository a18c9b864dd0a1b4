from pathlib import Path

import pytest
import torch

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ModelError
from pixelwise.export import int8
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter


def test_int8_is_kept_within_its_bound_only(
    tmp_path: Path,
    shapes: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("nncf")
    config = ModelConfig("fcn32s", "resnet18", 4)
    torch.manual_seed(0)
    names = ("background", "circle", "square", "triangle")
    model = tmp_path / "m.safetensors"
    save_model(model, build_segmenter(config), Header(config, Classes.named(names)))
    done = int8.export_int8(model, tmp_path / "m.xml", shapes)
    assert done.images == 4
    assert abs(done.mean_iou[0] - done.mean_iou[1]) <= int8.MAX_IOU_LOSS
    assert capsys.readouterr().out == ""
    assert b'element_type="i8"' in (tmp_path / "m.xml").read_bytes()
    exported = pixelwise.load(tmp_path / "m.xml")
    scores = pixelwise.evaluate(exported, shapes, split="val").scores
    assert scores.mean_iou == pytest.approx(done.mean_iou[1], abs=1e-6)
    monkeypatch.setattr(int8, "MAX_IOU_LOSS", -1.0)
    with pytest.raises(ModelError, match="nothing was written"):
        int8.export_int8(model, tmp_path / "n.xml", shapes)
    assert not list(tmp_path.glob("n.*"))
    with pytest.raises(ConfigError, match=r"ends in \.xml"):
        int8.export_int8(model, tmp_path / "m.onnx", shapes)
