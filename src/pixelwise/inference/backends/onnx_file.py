"""A model as an ONNX file: pixels in, logits out, the header in its metadata."""

import importlib
from pathlib import Path
from typing import Any

from pixelwise.errors import ConfigError, ModelError, PixelwiseError
from pixelwise.io.atomic import atomic
from pixelwise.models.checkpoint import HEADER_KEY, Header


def write_onnx(path: Path, network: bytes, header: Header, **more: object) -> None:
    """Write the network with the header, and `more`, as metadata `pixelwise`, atomically. Raises
    ConfigError without onnx.
    """
    onnx = _onnx()
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
    onnx = _onnx()
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's error types are not public
        raise ModelError(f"model {path}: damaged, or not an ONNX file; export it again") from error
    properties = {entry.key: entry.value for entry in model.metadata_props}
    if HEADER_KEY not in properties:
        raise ModelError(
            f"model {path}: not exported by pixelwise: its metadata has no '{HEADER_KEY}' "
            "with classes and colours; "
            "export the model with `pixelwise export`"
        )
    try:
        return Header.from_json(properties[HEADER_KEY])
    except PixelwiseError as error:
        raise ModelError(f"model {path}: {error}") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"model {path}: its '{HEADER_KEY}' cannot be read ({error!r}); export it again"
        ) from error


def _onnx() -> Any:
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ConfigError("onnx is not installed: pip install 'pixelwise[export]'") from error
