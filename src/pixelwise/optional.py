"""Packages that not everybody needs: imported when they are asked for, with advice where they are
missing.
"""

import importlib
import importlib.util
from types import ModuleType

from pixelwise.errors import ConfigError

EXTRA = {
    "onnx": "export",
    "onnxruntime": "export",
    "openvino": "export",
    "nncf": "int8",
    "rasterio": "raster",
    "pillow_heif": "heif",
    "tensorboard": "tensorboard",
}
EXTRA |= dict.fromkeys(("fastapi", "uvicorn", "python_multipart", "prometheus_client"), "serve")
EXTRA |= dict.fromkeys(("ray", "fsspec", "pyarrow"), "cluster")
"""The extra of pixelwise that brings each package."""


def require_package(name: str) -> ModuleType:
    """The package or module, or a ConfigError that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ConfigError(
            f"{package} is not installed: pip install 'pixelwise[{EXTRA[package]}]'"
        ) from error


def is_installed(name: str) -> bool:
    """Whether the package is there; it is not imported."""
    return importlib.util.find_spec(name) is not None
