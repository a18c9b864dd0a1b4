"""How labelled data is read to score a model: split and thresholded as for its training."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelwise.config_fields import check_names
from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.types import ALL, DataOptions, DataSet
from pixelwise.errors import ModelError
from pixelwise.inference.ensemble import Ensemble
from pixelwise.inference.load import read_any_header
from pixelwise.inference.predictor import Predictor
from pixelwise.progress import Progress

# Options whose change between training and scoring would score images that were learned from, or
# other labels.
HEADER_OPTIONS = (
    "seed",
    "val_fraction",
    "matte_threshold",
    "group",
    "val_images",
    "merge",
    "drop",
    "multilabel",
    "matte",
)
# Of these, those that a header leaves out where they are empty.
_OFTEN_EMPTY = ("val_images", "merge", "drop", "multilabel", "matte")
_FINGERPRINT = "fingerprint"


def to_header(options: DataOptions, dataset: DataSet) -> dict[str, Any]:
    """What a model file keeps of the options that it was trained with, and of which data."""
    reading = {name: getattr(options, name) for name in HEADER_OPTIONS}
    for name in _OFTEN_EMPTY:
        if not reading[name]:
            del reading[name]
    return {**reading, _FINGERPRINT: dataset.fingerprint()}


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
    splits = dict(dataset.splits)
    for name in splits if split == ALL else (split,):
        splits[name] = scan_split(dataset, name, progress=progress, skip_broken=True).pairs
    return replace(dataset, splits=splits)


def describe_training_images(model: Predictor, dataset: DataSet, split: str) -> list[str]:
    """The line that says whether images that are scored, all of the data set, were learned from;
    none for a split of it, as these are kept apart.
    """
    if split != ALL or isinstance(model, Ensemble):
        return []
    trained_on = model.reading.get(_FINGERPRINT)
    if trained_on is None:
        return [
            "the model does not say which images it was trained on: if these are among them, "
            "scores are too good"
        ]
    if trained_on != dataset.fingerprint():
        return ["none of these images is known to be among those that the model was trained on"]
    count = len(dataset.splits.get("train", ()))
    return [
        f"{count} of these images are those that the model was trained on: scores are too good; "
        "--split val or test has none of them"
    ]
