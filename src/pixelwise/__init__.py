"""pixelwise: semantic segmentation, from a folder of images and masks to a model one can trust and
ship.

Nothing heavy is imported here: each name below is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.evaluation.scoring import evaluate
    from pixelwise.inference.load import load
    from pixelwise.inference.predictor import Predictor, Result
    from pixelwise.models.registry import build_model
    from pixelwise.style_transfer.stylize_image import stylize
    from pixelwise.training.run import train

__version__ = "0.1.0"
__all__ = [
    "Predictor",
    "Result",
    "__version__",
    "build_model",
    "evaluate",
    "load",
    "stylize",
    "train",
]

_HOMES = {
    "Predictor": "pixelwise.inference.predictor",
    "Result": "pixelwise.inference.predictor",
    "build_model": "pixelwise.models.registry",
    "evaluate": "pixelwise.evaluation.scoring",
    "load": "pixelwise.inference.load",
    "stylize": "pixelwise.style_transfer.stylize_image",
    "train": "pixelwise.training.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pixelwise' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
