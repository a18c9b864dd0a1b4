"""An ONNX graph with all that is constant in it computed beforehand, for readers and tools that
take plain graphs.
"""

import tempfile
from pathlib import Path
from typing import Any

from pixelwise.optional import require_package


def fold_constants(network: bytes) -> Any:
    """The network as an `onnx.ModelProto` of ONNX's own operators, whose constant parts, such as
    the padding that PyTorch's exporter writes as arithmetic, are numbers.

    ONNX Runtime's basic optimisations do it: what they give computes the same. Raises ConfigError
    without onnx or onnxruntime.
    """
    onnx = require_package("onnx")
    runtime = require_package("onnxruntime")
    before = onnx.load_model_from_string(network)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3  # it warns that a saved graph may be for this machine alone
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        runtime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        model = onnx.load(str(path))
    # it adds operator sets that no node uses, which other readers may not know
    del model.opset_import[:]
    model.opset_import.extend(before.opset_import)
    model.ir_version = before.ir_version
    model.producer_name = before.producer_name
    model.producer_version = before.producer_version
    return model
