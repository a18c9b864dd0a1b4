"""A model as an ONNX file: pixels in, logits out, the header in its metadata."""

from pathlib import Path

from pixelwise.errors import ModelError
from pixelwise.io.atomic import atomic
from pixelwise.models.checkpoint import HEADER_KEY, Header, parse_header
from pixelwise.optional import require_package


def write_onnx(path: Path, network: bytes, header: Header, **more: object) -> None:
    """Write the network with the header, and `more`, as metadata `pixelwise`, atomically. Raises
    ConfigError without onnx.
    """
    onnx = require_package("onnx")
    model = onnx.load_model_from_string(network)
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
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's error types are not public
        raise ModelError(f"model {path}: damaged, or not an ONNX file; export it again") from error
    properties = {entry.key: entry.value for entry in model.metadata_props}
    if HEADER_KEY not in properties:
        raise ModelError(
            f"model {path}: not exported by pixelwise: its metadata has no '{HEADER_KEY}' "
            "with classes and colours; export the model with `pixelwise export`"
        )
    return parse_header(properties[HEADER_KEY], path)
