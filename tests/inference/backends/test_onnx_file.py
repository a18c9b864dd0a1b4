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
    header = read_onnx_header(exported_file(".onnx", "fcn8s"))
    assert header.classes.names == ("sky", "road", "car")
    assert header.training == {"crop": [64, 96]}


def test_files_that_are_not_ours_say_what_is_missing(
    tmp_path: Path, exported_file: Callable[..., Path]
) -> None:
    foreign = onnx.load(exported_file(".onnx"))
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    (tmp_path / "cut.onnx").write_bytes(exported_file(".onnx").read_bytes()[:1000])
    for name, reason in (
        ("foreign", "its metadata has no 'pixelwise'"),
        ("cut", "damaged"),
        ("none", "no such file"),
    ):
        with pytest.raises(ModelError, match=reason):
            pixelwise.load(tmp_path / f"{name}.onnx")
