"""How labelled data is read to score a model: split and thresholded as for its training."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelwise.config_fields import check_names
from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ModelError
from pixelwise.inference.load import read_any_header
from pixelwise.inference.predictor import Predictor
from pixelwise.progress import Progress

# Options whose change between training and scoring would score images that were learned from, or
# other labels.
HEADER_OPTIONS = ("seed", "val_fraction", "matte_threshold")


def to_header(options: DataOptions) -> dict[str, Any]:
    """What a model file keeps of the options that it was trained with."""
    return {name: getattr(options, name) for name in HEADER_OPTIONS}


def training_data_options(model: str | Path | Predictor, **overrides: Any) -> DataOptions:
    """The overrides that are not None, else what `model` was trained with as far as its header
    tells, else the defaults.

    Score files of `evaluate` tell nothing of it. Raises ModelError for a file that is no model,
    ConfigError as DataOptions and for an unknown option.
    """
    check_names(overrides, DataOptions)
    header = {name: value for name, value in _header_of(model).items() if name in HEADER_OPTIONS}
    explicit = {name: value for name, value in overrides.items() if value is not None}
    try:
        return DataOptions(**{**header, **explicit})
    except TypeError as error:
        raise ModelError(
            f"model {model}: its header says {header} of its data ({error}); copy it again"
        ) from error


def _header_of(model: str | Path | Predictor) -> Mapping[str, Any]:
    if isinstance(model, Predictor):
        return model.reading
    path = Path(model)
    if path.suffix == ".json":  # scores, which hold no options
        return {}
    return read_any_header(path).reading


def drop_broken_pairs(
    dataset: DataSet,
    split: str,
    options: DataOptions,
    progress: Progress,
) -> DataSet:
    """`dataset`; where `options` skip broken pairs, without those of `split`: each is read, and a
    line names what is left out. Raises as `scan_split`.
    """
    if not options.skip_broken:
        return dataset
    readable = scan_split(dataset, split, progress=progress, skip_broken=True).pairs
    return replace(dataset, splits={**dataset.splits, split: readable})
