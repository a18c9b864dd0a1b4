from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from pixelwise.inference.backends.onnx_folding import fold_constants
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.models.checkpoint import load_model

ARITHMETIC = {"Shape", "Ceil", "Gather", "ConstantOfShape", "Transpose", "Unsqueeze", "Mod"}


@pytest.fixture
def network(model_file: Callable[..., Path]) -> object:
    """One that pads as TensorFlow does."""
    return load_model(model_file("unet", "tf_efficientnet_lite0", scale=0.75))[0]


def run(model: object, rgb: np.ndarray) -> np.ndarray:
    content = model if isinstance(model, bytes) else model.SerializeToString()  # type: ignore[attr-defined]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    logits: np.ndarray = session.run(None, {"rgb": rgb})[0]
    return logits


@pytest.mark.parametrize("size", [None, (96, 128), (50, 70)])
def test_folding_changes_no_logit_and_leaves_no_arithmetic_of_sizes(
    network: object, size: tuple[int, int] | None
) -> None:
    traced = to_onnx(network, size)  # type: ignore[arg-type]
    folded = fold_constants(traced)
    onnx.checker.check_model(folded, full_check=True)
    height, width = size or (61, 45)
    rgb = np.random.default_rng(0).integers(0, 256, (1, 3, height, width), np.uint8)
    np.testing.assert_array_equal(run(folded, rgb), run(traced, rgb))
    operators = Counter(node.op_type for node in folded.graph.node)
    assert {node.domain for node in folded.graph.node} == {""}
    assert [entry.domain for entry in folded.opset_import] == [""]
    assert "Constant" not in operators
    if size:
        assert not ARITHMETIC & operators.keys()
        shape = folded.graph.output[0].type.tensor_type.shape
        assert [side.dim_value for side in shape.dim] == [1, 3, *size]
    else:  # what a picture's own size needs: padding, resizing, cropping
        assert operators["Ceil"] == 0
        assert operators["Shape"] <= 6


@pytest.mark.parametrize("size", [(96, 128), (50, 70)])
def test_opencv_reads_a_network_of_fixed_size(network: object, size: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    folded = fold_constants(to_onnx(network, size)).SerializeToString()  # type: ignore[arg-type]
    rgb = np.random.default_rng(0).integers(0, 256, (1, 3, *size), np.uint8)
    reader = cv2.dnn.readNetFromONNX(np.frombuffer(folded, np.uint8))
    reader.setInput(rgb)
    np.testing.assert_allclose(reader.forward(), run(folded, rgb), atol=1e-2)
