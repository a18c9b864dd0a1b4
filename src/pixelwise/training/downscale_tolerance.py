"""How far masks can be downscaled before they lose detail."""

from collections.abc import Sequence

import numpy as np
import torch

from pixelwise.classes import VOID
from pixelwise.datasets.layers import flat_classes, read_flat
from pixelwise.datasets.types import DataSet, Pair
from pixelwise.io.images import Array
from pixelwise.metrics.confusion import ConfusionMatrix

# Masks that are measured, from all over the split.
MASKS = 50


def measure_downscaled_masks(
    dataset: DataSet,
    pairs: Sequence[Pair],
    scales: Sequence[float],
) -> dict[float, float]:
    """By scale, the mean IoU of masks with themselves, downscaled and upscaled again by the nearest
    pixel.

    It bounds what a network can reach that sees images at this scale; its edges, between pixels,
    may be slightly better.
    """
    matrices = {scale: ConfusionMatrix(len(flat_classes(dataset))) for scale in scales}
    step = max(1, len(pairs) // MASKS)
    sample = pairs[::step][:MASKS]
    for pair in sample:
        labels = read_flat(dataset, pair.mask)  # (H, W)
        for scale, confusion in matrices.items():
            resampled = _downscale_and_back(labels, scale)
            # Where void has spread over a class there is no prediction to compare.
            truth = np.where(resampled == VOID, VOID, labels)
            confusion.update(torch.from_numpy(truth), torch.from_numpy(resampled))
    return {scale: confusion.scores().mean_iou for scale, confusion in matrices.items()}


def _downscale_and_back(labels: Array, scale: float) -> Array:
    height, width = labels.shape
    rows = _resampled_indices(height, scale)
    columns = _resampled_indices(width, scale)
    resampled: Array = labels[rows[:, None], columns]
    return resampled


def _resampled_indices(length: int, scale: float) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """For each of `length` pixels the one that represents it when only scale * length remain."""
    count = max(1, round(length * scale))
    # Half a pixel more: what counts are the centres of pixels.
    centres = (np.arange(count) + 0.5) * length / count
    remaining = centres.astype(np.intp)
    positions = (np.arange(length) + 0.5) * count / length
    return remaining[positions.astype(np.intp)]
