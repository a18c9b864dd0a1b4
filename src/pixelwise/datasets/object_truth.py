"""Which object each pixel of the truth is of, where a data set tells objects of one class apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.mask_reader import LabelReader
from pixelwise.datasets.raw_mask import read_raw
from pixelwise.io.images import Array

Ids = NDArray[np.signedinteger]

# Folders beside each other in Pascal VOC: of classes, and of objects by the same file names.
_VOC_FOLDERS = {"SegmentationClass": "SegmentationObject"}


@runtime_checkable
class ReadsObjects(Protocol):
    """A reader of labels whose source tells objects apart."""

    def objects(self, path: Path, /) -> Ids | None:
        """(H, W) ids from 1 on, 0 for none, below 0 where several were not told apart."""


def read_objects(read_labels: Callable[[Path], Array], mask: Path) -> Ids | None:
    """(H, W) the object of each pixel of a mask that `read_labels` reads: 0 is none, what is below
    0 several that nobody told apart. None where the data knows classes alone.

    Known are shapes and segments of annotation files, masks of ids that are read with
    `instances`, and SegmentationObject of Pascal VOC. Raises ImageError as reading the labels.
    """
    if isinstance(read_labels, ReadsObjects):
        return read_labels.objects(mask)
    if isinstance(read_labels, LabelReader) and read_labels.instances:
        return _read_ids(mask)
    folder = _VOC_FOLDERS.get(mask.parent.name)
    beside = mask.parent.with_name(folder) / mask.name if folder else None
    return _read_ids(beside) if beside is not None and beside.is_file() else None


def _read_ids(path: Path) -> Ids:
    return np.maximum(read_raw(path).values, 0).astype(np.int64)
