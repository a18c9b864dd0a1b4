"""Scores averaged over neighbouring frames of a film, where the picture stays the same: labels
flicker less, and what moves keeps its own.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pixelwise.io.images import Array
from pixelwise.io.read_film import FilmFrame

# A neighbour counts exp(-(d / SIMILAR)^2) at a pixel, where d is by how much (of 255) the picture
# differs around it, on average over PATCH pixels each way: see benchmarks/results/film.md.
SIMILAR = 5.0
PATCH = 1

_WEIGHTS = np.exp(-((np.arange(256) / SIMILAR) ** 2)).astype(np.float32)


class ScoredFrame(NamedTuple):
    """A frame and its probabilities (C, H, W)."""

    frame: FilmFrame
    scores: NDArray[np.float32]


def smooth_scores(frames: Iterable[ScoredFrame], reach: int) -> Iterator[ScoredFrame]:
    """Each frame with the mean of its scores and those of up to `reach` frames before and as many
    behind it, weighted at each pixel by how alike the pictures are there.

    2 `reach` + 1 frames are held. Those of another size count nothing.
    """
    window = deque[ScoredFrame](maxlen=2 * reach + 1)
    ahead = 0  # frames of the window that are still to come out
    for scored in frames:
        window.append(scored)
        ahead += 1
        if ahead > reach:
            yield _average(window, len(window) - ahead)
            ahead -= 1
    while ahead:
        first = max(0, len(window) - ahead - reach)
        yield _average(list(window)[first:], len(window) - ahead - first)
        ahead -= 1


def similarity(first: Array, second: Array) -> NDArray[np.float32]:
    """(H, W), 0 to 1: how much pixels of one picture (H, W, 3) say about those of another."""
    difference = np.maximum(first, second) - np.minimum(first, second)
    largest = Image.fromarray(np.ascontiguousarray(difference.max(axis=2)))
    around = np.asarray(largest.filter(ImageFilter.BoxBlur(PATCH)))
    weights: NDArray[np.float32] = _WEIGHTS[around]
    return weights


def _average(window: Iterable[ScoredFrame], middle: int) -> ScoredFrame:
    frames = list(window)
    frame, own = frames[middle]
    total = own.copy()
    weights = np.ones(own.shape[1:], np.float32)
    for number, (other, scores) in enumerate(frames):
        if number == middle or scores.shape != own.shape:
            continue
        weight = similarity(frame.rgb, other.rgb)
        weights += weight
        for label, score in enumerate(scores):  # one at a time: no copy of all
            total[label] += weight * score
    total /= weights
    return ScoredFrame(frame, total)
