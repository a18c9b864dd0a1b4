"""A model as an ONNX file: pixels in, logits out, the header in its metadata."""

from pathlib import Path
from typing import Any

from pixelwise.errors import ModelError
from pixelwise.inference.backends.onnx_folding import fold_constants
from pixelwise.io.atomic import atomic
from pixelwise.models.checkpoint import HEADER_KEY, Header, parse_header
from pixelwise.models.file_kinds import name_kind
from pixelwise.optional import require_package


def write_onnx(path: Path, network: bytes, header: Header, **more: object) -> None:
    """Write the network, its constants folded, with the header, and `more`, as metadata
    `pixelwise`, atomically. Raises ConfigError without onnx or onnxruntime.
    """
    save_onnx(path, fold_constants(network), header, **more)


def save_onnx(path: Path, model: Any, header: Header, **more: object) -> None:
    """Write an `onnx.ModelProto` as `write_onnx` does, as it is."""
    onnx = require_package("onnx")
    # the exporter loses the number of classes where it crops to the picture's size
    channels = model.graph.output[0].type.tensor_type.shape.dim[1]
    channels.dim_value = len(header.classes)
    onnx.helper.set_model_props(model, {HEADER_KEY: header.to_json(**more)})
    onnx.checker.check_model(model)
    with atomic(path) as draft:
        draft.write_bytes(model.SerializeToString())


def read_onnx_header(path: Path) -> Header:
    """The header of an ONNX file of ours. Raises ModelError for any other file, saying what is
    missing.
    """
    if not path.is_file():
        raise ModelError(f"model {path}: no such file")
    onnx = require_package("onnx")
    kind = name_kind(path)
    if kind and not kind.startswith("an ONNX"):
        raise ModelError(f"model {path}: {kind}, not an ONNX file; export the model again")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's error types are not public
        raise ModelError(f"model {path}: damaged, or not an ONNX file; export it again") from error
    properties = {entry.key: entry.value for entry in model.metadata_props}
    if HEADER_KEY not in properties:
        raise ModelError(
            f"model {path}: not exported by pixelwise{_name_origin(model)}: its metadata has no "
            f"'{HEADER_KEY}' with classes and colours; export a model of pixelwise with "
            "`pixelwise export`; tools that drop the metadata have to keep it"
        )
    return parse_header(properties[HEADER_KEY], path)


def _name_origin(model: Any) -> str:
    """Which program wrote an ONNX file, as far as it says so."""
    properties = {entry.key: entry.value for entry in model.metadata_props}
    if {"stride", "task", "names"} <= properties.keys():
        return f", but by Ultralytics (YOLO, {properties['task']})"
    return f", but by {model.producer_name}" if model.producer_name else ""
