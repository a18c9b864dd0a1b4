"""Alpha mattes as what a network learns and is scored by: levels of opacity, no classes."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pixelwise.datasets.mask_reader import MatteReader
from pixelwise.datasets.types import DataSet
from pixelwise.errors import ConfigError
from pixelwise.io.images import Array

ALPHA_LEVELS = 254
"""The level of full opacity; 255 stays free for void."""


@dataclass(frozen=True)
class AlphaReader:
    """Reads a matte as levels of alpha (H, W), 0 to ALPHA_LEVELS."""

    reader: MatteReader

    def __call__(self, path: Path) -> Array:
        """Raises ImageError as the reader."""
        levels: Array = np.rint(self.reader.alpha(path) * (ALPHA_LEVELS / 255)).astype(np.uint8)
        return levels


def keep_alpha(dataset: DataSet) -> DataSet:
    """The data set, whose alpha is learned. Raises ConfigError where it has none, or where its
    classes are changed.
    """
    if not isinstance(dataset.read_labels, MatteReader):
        raise ConfigError(
            f"matte: {dataset.root} is read as {dataset.format}, from which no alpha can be taken; "
            "give mattes, x.jpg beside x_matte.png, without merge, drop and object_gap, or leave "
            "out matte"
        )
    return replace(dataset, read_alpha=AlphaReader(dataset.read_labels))
