"""How labelled data is read to score a model: dealt and thresholded as for its training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ModelError
from pixelwise.inference.load import read_any_header
from pixelwise.inference.predictor import Predictor
from pixelwise.progress import Progress

TRAINED = ("seed", "val_fraction", "matte_threshold")
"""Options whose change between training and scoring would score images that were learned from, or
other labels.
"""


def to_header(reading: DataOptions) -> dict[str, Any]:
    """What a model file keeps of the reading that it was trained with."""
    return {name: getattr(reading, name) for name in TRAINED}


def as_trained(model: str | Path | Predictor, **given: Any) -> DataOptions:
    """What is given and is not None, else what `model` was trained with as far as its header says,
    else the defaults.

    Score files of `evaluate` say nothing of it. Raises ModelError for a file that is no model,
    ConfigError as DataOptions.
    """
    if isinstance(model, Predictor):
        trained = model.reading
    else:
        path = Path(model)
        trained = {} if path.suffix == ".json" else read_any_header(path).reading
    known = {name: value for name, value in trained.items() if name in TRAINED}
    try:
        return DataOptions(
            **{**known, **{name: value for name, value in given.items() if value is not None}}
        )
    except TypeError as error:
        raise ModelError(
            f"model {model}: its header says {known} of its data ({error}); copy it again"
        ) from error


def readable(dataset: DataSet, split: str, options: DataOptions, progress: Progress) -> DataSet:
    """`dataset`; where `options` skip broken pairs, without those of `split`: each is read, and a
    line names what is left out. Raises as `scan_split`.
    """
    if not options.skip_broken:
        return dataset
    found = scan_split(dataset, split, progress=progress, skip_broken=True)
    return replace(dataset, splits={**dataset.splits, split: found.pairs})
