"""A bundled model's network as an ONNX graph without weights, stored beside it: with the weights of
the model file it becomes the network that `to_onnx` gives, and PyTorch is not imported.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import deserialize

from pixelwise.models.checkpoint import BUNDLED, load_model
from pixelwise.optional import is_installed, require_package

_DIGEST_KEY = "weights_sha256"

# 16 bits that numpy has no type for are the upper half of a float32.
_FLOATS = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


def has_stored_graph(model: Path) -> bool:
    """Whether `read_stored_network` may have an answer; nothing is read."""
    return model.parent == BUNDLED and _graph_path(model).is_file() and is_installed("onnx")


def read_stored_network(model: Path) -> bytes | None:
    """The ONNX network of a bundled model file; None where there is no graph for its weights."""
    if not has_stored_graph(model):
        return None
    onnx = require_package("onnx")
    network = onnx.load(str(_graph_path(model)))
    content = model.read_bytes()
    properties = {entry.key: entry.value for entry in network.metadata_props}
    if properties.get(_DIGEST_KEY) != hashlib.sha256(content).hexdigest():
        return None  # of an earlier model of that name
    entries = dict(deserialize(content))  # type: ignore[no-untyped-call]
    for tensor in network.graph.initializer:
        if tensor.name in entries and not tensor.HasField("raw_data"):
            tensor.raw_data = _as_float32(entries[tensor.name]).tobytes()
    serialized: bytes = network.SerializeToString()
    return serialized


def write_stored_graph(model: Path) -> Path:
    """Write the graph beside a model file, for `read_stored_network`; with PyTorch and onnx."""
    from pixelwise.inference.backends.onnx_trace import to_onnx  # imports PyTorch

    onnx = require_package("onnx")
    segmenter, _ = load_model(model)
    state = {name: value.numpy() for name, value in segmenter.state_dict().items()}
    network = onnx.load_model_from_string(to_onnx(segmenter, keep_layers=True))
    names = dict[str, str]()
    for tensor in network.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        match = _find_equal(tensor.name.removeprefix("model."), values, state)
        if match is not None:
            names[tensor.name] = match
            tensor.name = match
            tensor.ClearField("raw_data")
    for node in network.graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = names.get(name, name)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    onnx.helper.set_model_props(network, {_DIGEST_KEY: digest})
    path = _graph_path(model)
    path.write_bytes(network.SerializeToString())
    return path


def _graph_path(model: Path) -> Path:
    return model.with_suffix(".onnx")


def _as_float32(entry: dict[str, Any]) -> NDArray[np.float32]:
    if entry["dtype"] == "BF16":
        return (np.frombuffer(entry["data"], np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(entry["data"], _FLOATS[entry["dtype"]]).astype(np.float32)


def _find_equal(name: str, values: NDArray[Any], state: dict[str, NDArray[Any]]) -> str | None:
    """The weights of that name, or of any where the export wrapped their layer; None for constants
    of the graph, which stay in it.
    """
    if values.ndim == 0 or values.dtype != np.float32:
        return None
    if name in state and np.array_equal(state[name], values):
        return name
    return next((key for key, other in state.items() if np.array_equal(other, values)), None)
