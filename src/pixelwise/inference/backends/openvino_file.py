"""A model as OpenVINO's own two files, NAME.xml and NAME.bin, with the header in the first one."""

import hashlib
import importlib
import tempfile
from pathlib import Path
from typing import Any

from pixelwise.errors import ConfigError, ModelError, PixelwiseError
from pixelwise.io.atomic import atomic
from pixelwise.models.checkpoint import HEADER_KEY, Header

# In the runtime information: the SHA-256 of the .bin file, as two exports may be told apart by
# nothing else.
WEIGHTS_KEY = "pixelwise_weights"


def write_openvino(path: Path, network: Any, header: Header, **more: object) -> None:
    """Write an `openvino.Model` with the header, and `more`, as `pixelwise` in its runtime
    information, and a digest of the weights; the .xml comes last.
    """
    network.set_rt_info(header.to_json(**more), HEADER_KEY)
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "network.xml"
        _openvino().save_model(network, str(trial), compress_to_fp16=False)
        network.set_rt_info(_digest(trial.with_suffix(".bin")), WEIGHTS_KEY)
        _openvino().save_model(
            network, str(trial), compress_to_fp16=False
        )  # the same weights again
        for ending in (".bin", ".xml"):
            with atomic(path.with_suffix(ending)) as draft:
                draft.write_bytes(trial.with_suffix(ending).read_bytes())


def read_openvino_header(path: Path) -> Header:
    """The header of an .xml file of ours. Raises ModelError for any other file, saying what is
    missing.
    """
    for part in (path, path.with_suffix(".bin")):
        if not part.is_file():
            raise ModelError(
                f"model {path}: {part.name} is missing; the .xml and the .bin file belong together"
            )
    openvino = _openvino()
    try:
        network = openvino.Core().read_model(str(path))
    except Exception as error:  # its errors derive from RuntimeError, what they wrap does not
        raise ModelError(
            f"model {path}: damaged, or not an OpenVINO file; export it again"
        ) from error
    if not network.has_rt_info(HEADER_KEY):
        raise ModelError(
            f"model {path}: not exported by pixelwise: it has no '{HEADER_KEY}' with classes "
            "and colours; export the "
            "model with `pixelwise export`"
        )
    weights = path.with_suffix(".bin")
    if network.has_rt_info(WEIGHTS_KEY) and str(network.get_rt_info(WEIGHTS_KEY).value) != _digest(
        weights
    ):
        raise ModelError(
            f"model {path}: {weights.name} is of another export, or damaged; copy both files again"
        )
    try:
        return Header.from_json(str(network.get_rt_info(HEADER_KEY).value))
    except PixelwiseError as error:
        raise ModelError(f"model {path}: {error}") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"model {path}: its '{HEADER_KEY}' cannot be read ({error!r}); export it again"
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _openvino() -> Any:
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise ConfigError("openvino is not installed: pip install 'pixelwise[export]'") from error
