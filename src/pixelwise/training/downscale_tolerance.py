"""How small masks can be looked at before they lose what they show."""

from collections.abc import Sequence

import numpy as np
import torch

from pixelwise.classes import VOID
from pixelwise.datasets.types import DataSet, Pair
from pixelwise.io.images import Array
from pixelwise.metrics.confusion import ConfusionMatrix

MASKS = 50
"""So many, from all over the set, tell."""


def kept_at(dataset: DataSet, pairs: Sequence[Pair], scales: Sequence[float]) -> dict[float, float]:
    """By scale, the mean IoU of masks with themselves resized by it and back, by the nearest pixel
    both ways.

    What a network that looks at images so can reach at best; its edges, between pixels, may be a
    little better.
    """
    counts = {scale: ConfusionMatrix(len(dataset.classes)) for scale in scales}
    for pair in pairs[:: max(1, len(pairs) // MASKS)][:MASKS]:
        labels = dataset.read_labels(pair.mask)
        for scale, confusion in counts.items():
            rows, columns = (_there_and_back(length, scale) for length in labels.shape)
            seen: Array = labels[rows[:, None], columns]
            known = np.where(seen == VOID, VOID, labels)
            confusion.update(torch.from_numpy(known), torch.from_numpy(seen))
    return {scale: confusion.scores().mean_iou for scale, confusion in counts.items()}


def _there_and_back(length: int, scale: float) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """For each of `length` pixels the one that stands for it when only scale * length of them are
    kept.
    """
    few = max(1, round(length * scale))
    kept = ((np.arange(few) + 0.5) * length / few).astype(np.intp)
    return kept[((np.arange(length) + 0.5) * few / length).astype(np.intp)]
