"""Gaps between objects that touch, so that a network learns to tell them apart."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, reduce_window
from pixelwise.datasets.object_truth import Ids, read_objects
from pixelwise.datasets.types import DataSet
from pixelwise.errors import ConfigError
from pixelwise.io.images import Array

_BACKGROUND = "background"


@dataclass(frozen=True)
class GappedLabels:
    """Reads labels as `read_labels` does, with `background` where two objects lie within `reach`
    pixels of each other.
    """

    read_labels: Callable[[Path], Array]
    reach: int
    background: int

    @property
    def legend(self) -> str:
        """What its labels mean, by which measured masks are remembered."""
        inner = getattr(self.read_labels, "legend", "")
        return repr([type(self.read_labels).__name__, inner, self.reach, self.background])

    def __call__(self, path: Path) -> Array:
        """Labels (H, W) uint8."""
        labels = self.read_labels(path)
        ids = read_objects(self.read_labels, path)
        if ids is None:
            return labels
        return np.where(find_touching(ids, self.reach), np.uint8(self.background), labels)

    def objects(self, path: Path, /) -> Ids | None:
        """The objects as they are, without gaps."""
        return read_objects(self.read_labels, path)


def find_touching(ids: Ids, reach: int) -> NDArray[np.bool_]:
    """(H, W) the pixels of objects, which are above 0 in `ids`, that have one of another object
    within `reach` pixels along rows, columns and diagonals.
    """
    own = np.maximum(ids, 0).astype(np.int64)
    none = np.iinfo(np.int64).max
    highest = reduce_window(own, reach, np.maximum)
    lowest = reduce_window(np.where(own > 0, own, none), reach, np.minimum)
    touching: NDArray[np.bool_] = (own > 0) & ((highest != own) | (lowest != own))
    return touching


def cut_gaps(dataset: DataSet, reach: int) -> DataSet:
    """The data set with gaps of twice `reach` pixels between objects, of background where there is
    such a class, else void. Raises ConfigError where the data tells no objects apart, ImageError
    for a mask that cannot be read.
    """
    if not reach:
        return dataset
    pair = next(pair for pairs in dataset.splits.values() for pair in pairs)
    if read_objects(dataset.read_labels, pair.mask) is None:
        raise ConfigError(
            f"object_gap {reach}: {dataset.root} tells no objects apart; give outlines of each, as "
            "COCO and LabelMe have, or masks of an id an object (--instances), or leave it out"
        )
    names = dataset.classes.names
    background = names.index(_BACKGROUND) if _BACKGROUND in names else VOID
    filler = _BACKGROUND if background != VOID else "void"
    return replace(
        dataset,
        read_labels=GappedLabels(dataset.read_labels, reach, background),
        notes=(*dataset.notes, f"objects that touch: {2 * reach} pixels of {filler} between them"),
    )
