from pathlib import Path

import pytest

from pixelwise.inference.backends import choices
from pixelwise.inference.backends.choices import Choices, names_that_begin_soon, names_to_try

ALL = {"torch", "onnxruntime", "openvino"}


@pytest.mark.parametrize(
    ("bfloat16", "x86", "installed", "precision", "expected"),
    [
        (True, True, ALL, None, ["openvino bfloat16", "openvino float32", "onnxruntime float32"]),
        (False, True, ALL, None, ["openvino float32", "onnxruntime float32"]),
        (False, False, ALL, None, ["onnxruntime float32", "openvino float32", "torch float32"]),
        (True, True, ALL, "float32", ["openvino float32", "onnxruntime float32"]),
        (False, True, ALL, "bfloat16", ["openvino bfloat16", "openvino float32"]),
        (True, True, {"torch", "onnxruntime"}, None, ["onnxruntime float32"]),
        (True, True, {"torch"}, None, ["torch float32", "torch bfloat16"]),
        (False, True, {"torch"}, None, ["torch float32"]),
        (False, True, {"torch"}, "bfloat16", ["torch float32", "torch bfloat16"]),
    ],
)
def test_what_is_measured_follows_the_processor(
    bfloat16: bool,
    x86: bool,
    installed: set[str],
    precision: str | None,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choices, "openvino_has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(choices, "cpu_has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(choices, "is_x86", lambda: x86)
    monkeypatch.setattr(choices, "is_installed", lambda name: name in installed)
    assert names_to_try(precision) == expected


def test_a_precision_that_onnx_runtime_lacks_begins_with_openvino(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choices, "is_installed", lambda _: True)
    assert names_that_begin_soon(None) == ["onnxruntime float32", "openvino float32"]
    assert names_that_begin_soon("bfloat16") == ["openvino bfloat16"]


def test_a_models_own_order_goes_before_that_of_its_network(tmp_path: Path) -> None:
    first = Choices(tmp_path / "first.json", tmp_path / "network.json")
    other = Choices(tmp_path / "other.json", tmp_path / "network.json")
    assert first.load() == []
    first.save(["a", "b"], for_network=True)
    assert first.load() == other.load() == ["a", "b"]
    first.save(["b"], for_network=False)
    assert (first.load(), other.load()) == (["b"], ["a", "b"])
    first.forget()
    assert first.load() == other.load() == []


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    unwritable = Choices(tmp_path / "file/a.json", tmp_path / "file/b.json")
    unwritable.save(["a"], for_network=True)
    assert unwritable.load() == []
    unwritable.forget()
