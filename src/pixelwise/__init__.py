"""pixelwise: semantic segmentation, from a folder of images and masks to a model one can trust and
ship.

Nothing heavy is imported here: each name below is loaded when it is first used. Every command has a
function; `list_models` and `export_model` are those of `models` and `export`, which are packages,
and `rank_folder` is that of `next`, which Python has.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.api import export_model, list_models, predict, serve
    from pixelwise.checks.check_dataset import check
    from pixelwise.datasets.conversion import convert
    from pixelwise.datasets.download_voc import download_voc
    from pixelwise.datasets.options import DataOptions
    from pixelwise.datasets.slice_volumes import slice_volumes
    from pixelwise.datasets.stack_bands import stack
    from pixelwise.evaluation.compare_models import compare
    from pixelwise.evaluation.find_label_issues import find_label_issues
    from pixelwise.evaluation.find_label_issues import find_label_issues as suspects
    from pixelwise.evaluation.score_layers import evaluate_layers
    from pixelwise.evaluation.scoring import evaluate
    from pixelwise.export.compress import compress
    from pixelwise.export.share import pull, push
    from pixelwise.inference.load import load
    from pixelwise.inference.predict_options import PredictOptions
    from pixelwise.inference.predictor import Predictor, Result
    from pixelwise.labelling.rank_folder import rank_folder
    from pixelwise.labelling.server import label
    from pixelwise.models.registry import build_model
    from pixelwise.style_transfer.config import StyleConfig
    from pixelwise.style_transfer.stylize_image import stylize
    from pixelwise.teaching.demo_run import demo
    from pixelwise.teaching.explain import explain
    from pixelwise.training.config import TrainConfig
    from pixelwise.training.cross_validation import cross_validate
    from pixelwise.training.labelled_images import LabelledImages
    from pixelwise.training.preview import preview
    from pixelwise.training.train import train

__version__ = "0.2.0"
__all__ = [
    "DataOptions",
    "LabelledImages",
    "PredictOptions",
    "Predictor",
    "Result",
    "StyleConfig",
    "TrainConfig",
    "__version__",
    "build_model",
    "check",
    "compare",
    "compress",
    "convert",
    "cross_validate",
    "demo",
    "download_voc",
    "evaluate",
    "evaluate_layers",
    "explain",
    "export_model",
    "find_label_issues",
    "label",
    "list_models",
    "load",
    "predict",
    "preview",
    "pull",
    "push",
    "rank_folder",
    "serve",
    "slice_volumes",
    "stack",
    "stylize",
    "suspects",
    "train",
]

# Where each name is defined, as "module:name" where it has another name there.
_HOMES = {
    "DataOptions": "pixelwise.datasets.options",
    "LabelledImages": "pixelwise.training.labelled_images",
    "PredictOptions": "pixelwise.inference.predict_options",
    "Predictor": "pixelwise.inference.predictor",
    "Result": "pixelwise.inference.predictor",
    "StyleConfig": "pixelwise.style_transfer.config",
    "TrainConfig": "pixelwise.training.config",
    "build_model": "pixelwise.models.registry",
    "check": "pixelwise.checks.check_dataset",
    "compare": "pixelwise.evaluation.compare_models",
    "compress": "pixelwise.export.compress",
    "convert": "pixelwise.datasets.conversion",
    "cross_validate": "pixelwise.training.cross_validation",
    "demo": "pixelwise.teaching.demo_run",
    "download_voc": "pixelwise.datasets.download_voc",
    "evaluate": "pixelwise.evaluation.scoring",
    "evaluate_layers": "pixelwise.evaluation.score_layers",
    "explain": "pixelwise.teaching.explain",
    "export_model": "pixelwise.api",
    "find_label_issues": "pixelwise.evaluation.find_label_issues",
    "label": "pixelwise.labelling.server",
    "list_models": "pixelwise.api",
    "load": "pixelwise.inference.load",
    "predict": "pixelwise.api",
    "pull": "pixelwise.export.share",
    "push": "pixelwise.export.share",
    "preview": "pixelwise.training.preview",
    "rank_folder": "pixelwise.labelling.rank_folder",
    "serve": "pixelwise.api",
    "slice_volumes": "pixelwise.datasets.slice_volumes",
    "stack": "pixelwise.datasets.stack_bands",
    "stylize": "pixelwise.style_transfer.stylize_image",
    "suspects": "pixelwise.evaluation.find_label_issues:find_label_issues",
    "train": "pixelwise.training.train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pixelwise' has no attribute '{name}'")
    module, _, alias = _HOMES[name].partition(":")
    return getattr(import_module(module), alias or name)


def __dir__() -> list[str]:
    return sorted(__all__)
