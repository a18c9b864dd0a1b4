"""Packages that not everybody needs: imported when they are asked for, with advice where they are
missing.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from pixelwise.errors import ConfigError, PixelwiseError, first_line

EXTRA = {
    "onnx": "export",
    "onnxruntime": "export",
    "openvino": "export",
    "rasterio": "raster",
    "tifffile": "stacks",
    "pydicom": "medical",
    "nibabel": "medical",
    "skimage": "objects",
    "pillow_heif": "heif",
    "tensorboard": "tensorboard",
    "pyarrow": "parquet",
    "mlflow": "mlflow",
    "wandb": "wandb",
    "ncnn": "ncnn",
    "pnnx": "ncnn",
    "segmentation_models_pytorch": "smp",
    "transformers": "transformers",
    "h5py": "keras",
}
EXTRA |= dict.fromkeys(("fastapi", "uvicorn", "python_multipart", "prometheus_client"), "serve")
EXTRA |= dict.fromkeys(("ray", "fsspec"), "cluster")
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


# Of packages whose versions do not fit together: an operator that is registered twice or not at
# all, a library that another build would bring, a module that was built for another one.
_FAULTS = (
    "operator torchvision::",
    "operator torch::",
    "undefined symbol",
    "cannot open shared object file",
    "DLL load failed",
    "Library not loaded",
    "_ARRAY_API not found",
    "multiarray failed to import",
    "numpy.dtype size changed",
)


class InstallationError(PixelwiseError):
    """Installed packages do not work together; nothing is wrong with the user's files."""


def installation_error(error: BaseException) -> InstallationError | None:
    """What to say of an error that comes of the packages installed here; None for any other."""
    text = str(error)
    is_fault = any(fault in text for fault in _FAULTS)
    is_foreign = isinstance(error, ImportError) and not str(error.name).startswith("pixelwise")
    if not is_fault and not is_foreign:
        return None
    return InstallationError(
        f"the installation is at fault, not your files: {first_line(error)}; packages such as "
        "torch and torchvision must be of one build: pip install --force-reinstall torch "
        "torchvision from one index"
    )


@contextmanager
def wrap_import_faults() -> Iterator[None]:
    """Errors in the block that come of the packages installed here are raised as
    InstallationError.
    """
    try:
        yield
    except PixelwiseError:
        raise
    except (ImportError, OSError, RuntimeError) as error:
        fault = installation_error(error)
        if fault is None:
            raise
        raise fault from error
