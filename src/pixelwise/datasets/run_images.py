"""The validation images of a run, as its run.json names the data."""

import json
from pathlib import Path

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, Pair
from pixelwise.errors import PixelwiseError


def validation_pairs(run: Path) -> list[Pair]:
    """All of a run's; none where `run` is no run folder or its data has moved on."""
    try:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        dataset = open_dataset(
            record["data"]["root"], DataOptions(**record["reading"]), layers=True
        )
        return list(dataset.pairs("val"))
    except (OSError, PixelwiseError, KeyError, ValueError, TypeError):
        return []
