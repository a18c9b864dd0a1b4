import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import openvino
import pytest

import pixelwise
from pixelwise.errors import ConfigError, ModelError
from pixelwise.inference.outputs import Recipe


@pytest.fixture
def copy(tmp_path: Path, exported_file: Callable[..., Path]) -> Path:
    """An exported .xml, with its .bin, that may be changed."""
    for suffix in (".xml", ".bin"):
        shutil.copyfile(exported_file(".xml").with_suffix(suffix), tmp_path / f"m{suffix}")
    return tmp_path / "m.xml"


def test_files_that_are_not_ours_say_what_is_missing(tmp_path: Path, copy: Path) -> None:
    with pytest.raises(ConfigError, match="leave out --runtime"):
        pixelwise.load(copy, runtime="onnxruntime")
    (tmp_path / "foreign.xml").write_text(copy.read_text().replace("pixelwise", "somebody"))
    (tmp_path / "foreign.bin").write_bytes((tmp_path / "m.bin").read_bytes())
    (tmp_path / "cut.xml").write_text(copy.read_text()[:900])
    (tmp_path / "cut.bin").write_bytes(b"")
    (tmp_path / "m.bin").unlink()
    for name, reason in (
        ("foreign", "it has no 'pixelwise'"),
        ("cut", "damaged"),
        ("m", r"m\.bin is missing"),
    ):
        with pytest.raises(ModelError, match=reason):
            pixelwise.load(tmp_path / f"{name}.xml")


def test_the_two_files_belong_together(copy: Path) -> None:
    before = Recipe.of(copy, overwrite=False)
    weights = bytearray(copy.with_suffix(".bin").read_bytes())
    weights[len(weights) // 2] ^= 1  # as by another training: as long, and read without a complaint
    copy.with_suffix(".bin").write_bytes(weights)
    assert Recipe.of(copy, overwrite=False) != before
    with pytest.raises(ModelError, match=r"m\.bin is of another export, or damaged"):
        pixelwise.load(copy)


@pytest.mark.parametrize(
    "header", ["{", "[]", "{}", '{"format_version": 1}', '{"format_version": 1, "classes": []}']
)
def test_a_header_that_makes_no_sense_is_no_model(header: str, tmp_path: Path) -> None:
    rgb, logits = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1])
        for name in ("rgb", "logits")
    )
    identity = onnx.helper.make_node("Identity", ["rgb"], ["logits"])
    graph = onnx.helper.make_graph([identity], "g", [rgb], [logits])
    network = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    converted = openvino.Core().read_model(network.SerializeToString())
    onnx.helper.set_model_props(network, {"pixelwise": header})
    onnx.save(network, tmp_path / "m.onnx")
    converted.set_rt_info(header, "pixelwise")
    openvino.save_model(converted, tmp_path / "m.xml")
    for name in ("m.onnx", "m.xml"):
        with pytest.raises(ModelError, match=f"model .*{name}: "):
            pixelwise.load(tmp_path / name)
