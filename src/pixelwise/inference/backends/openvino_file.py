"""A model as OpenVINO's own two files, NAME.xml and NAME.bin, with the header in the first one."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from pixelwise.errors import ModelError
from pixelwise.io.atomic import atomic
from pixelwise.models.checkpoint import HEADER_KEY, Header, parse_header
from pixelwise.optional import require_package

# In the runtime information: the SHA-256 of the .bin file, as the .xml files of two exports may be
# alike to the last byte.
WEIGHTS_KEY = "pixelwise_weights"


def write_openvino(path: Path, network: Any, header: Header, **more: object) -> None:
    """Write an `openvino.Model` with the header, and `more`, as `pixelwise` in its runtime
    information, and a digest of the weights; the .xml comes last.

    Raises ConfigError without openvino.
    """
    openvino = require_package("openvino")
    network.set_rt_info(header.to_json(**more), HEADER_KEY)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "network.xml"
        openvino.save_model(network, str(draft), compress_to_fp16=False)
        network.set_rt_info(_digest(draft.with_suffix(".bin")), WEIGHTS_KEY)
        # the same weights again, now that the .xml can name them
        openvino.save_model(network, str(draft), compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            with atomic(path.with_suffix(suffix)) as target:
                target.write_bytes(draft.with_suffix(suffix).read_bytes())


def read_openvino_header(path: Path) -> Header:
    """The header of an .xml file of ours. Raises ModelError for any other file, naming what is
    missing.
    """
    weights = path.with_suffix(".bin")
    if not path.is_file():
        raise ModelError(f"model {path}: no such file")
    if not weights.is_file():
        raise ModelError(
            f"model {path}: {weights.name} is missing; the .xml and the .bin file belong together"
        )
    openvino = require_package("openvino")
    try:
        network = openvino.Core().read_model(str(path))
    except Exception as error:  # its errors derive from RuntimeError, what they wrap does not
        raise ModelError(
            f"model {path}: damaged, or not an OpenVINO file; export it again"
        ) from error
    if not network.has_rt_info(HEADER_KEY):
        raise ModelError(
            f"model {path}: not exported by pixelwise: it has no '{HEADER_KEY}' with classes and "
            "colours; export the model with `pixelwise export`"
        )
    if network.has_rt_info(WEIGHTS_KEY):
        expected = str(network.get_rt_info(WEIGHTS_KEY).value)
        if _digest(weights) != expected:
            raise ModelError(
                f"model {path}: {weights.name} is of another export, or damaged; "
                "copy both files again"
            )
    return parse_header(str(network.get_rt_info(HEADER_KEY).value), path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
