from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

import pixelwise
from pixelwise.errors import ModelError
from pixelwise.inference.backends.onnx_file import read_onnx_header


def test_an_export_holds_plain_operators_and_the_header(exported_file: Callable[..., Path]) -> None:
    model = onnx.load(exported_file(".onnx", "fcn8s"))
    assert {node.domain for node in model.graph.node} == {""}  # ONNX's own operators alone
    assert [entry.name for entry in model.graph.input] == ["rgb"]
    (logits,) = model.graph.output
    sides = logits.type.tensor_type.shape.dim
    assert [side.dim_param or side.dim_value for side in sides] == ["images", 3, "height", "width"]
    header = read_onnx_header(exported_file(".onnx", "fcn8s"))
    assert header.classes.names == ("sky", "road", "car")
    assert header.training == {"crop": [64, 96]}


def test_files_that_are_not_ours_say_what_is_missing(
    tmp_path: Path, exported_file: Callable[..., Path]
) -> None:
    foreign = onnx.load(exported_file(".onnx"))
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    for key, value in {"stride": "32", "task": "segment", "names": "{0: 'cat'}"}.items():
        foreign.metadata_props.add(key=key, value=value)
    onnx.save(foreign, tmp_path / "yolo.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "page.onnx").write_bytes(b"<!DOCTYPE html>")
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "cut.onnx").write_bytes(exported_file(".onnx").read_bytes()[:1000])
    for name, reason in (
        ("foreign", "its metadata has no 'pixelwise'"),
        ("foreign", "not exported by pixelwise, but by pytorch: .*has to|have to keep it"),
        ("yolo", r"not exported by pixelwise, but by Ultralytics \(YOLO, segment\)"),
        ("empty", "an empty file, not an ONNX file"),
        ("page", "an HTML page, not an ONNX file"),
        ("folder", "a folder without model.safetensors"),
        ("cut", "damaged"),
        ("none", "no such file"),
    ):
        with pytest.raises(ModelError, match=reason):
            pixelwise.load(tmp_path / f"{name}.onnx")
