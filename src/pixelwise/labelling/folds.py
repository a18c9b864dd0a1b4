"""How good the live model is on strokes that it has not seen: folds over strokes, never over the
pixels of one.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.labelling.head import Head, find_temperature
from pixelwise.labelling.samples import TrainingSet, fit_training_set

FOLDS = 5


@dataclass(frozen=True, eq=False)
class FoldScores:
    """What held-back strokes say. right: share of each stroke's pixels that is right, by the
    stroke's number. temperature: what makes the model's confidence true. iou by class key.
    """

    right: dict[int, float]
    temperature: float
    iou: dict[int, float]

    @property
    def mean_iou(self) -> float:
        """Mean over the classes that have strokes."""
        return float(np.mean(list(self.iou.values())))


def score_folds(data: TrainingSet, head: Head, repeated: Collection[int] = ()) -> FoldScores | None:
    """Fit the head FOLDS times, each without a fifth of the strokes, and ask it about those. None
    where fewer than two classes have two strokes: of one stroke alone nothing is known.

    repeated: numbers of strokes that repeat a prediction, of which nothing is asked.
    """
    is_own = ~np.isin(data.strokes, list(repeated))
    data = data.select(_have_two_strokes(data, is_own))
    is_own = ~np.isin(data.strokes, list(repeated))
    if len(np.unique(data.keys)) < 2:
        return None
    fold = _spread_folds(data)
    logits = np.full((len(data), len(head.keys)), np.nan, np.float32)
    for held_back in range(FOLDS):
        part = fit_without(data, fold == held_back, head.keys)
        if part is not None:
            rows = fold == held_back
            logits[rows] = part.logits(data.vectors[rows])
    scored = ~np.isnan(logits[:, 0]) & is_own
    if not scored.any():
        return None
    columns = np.searchsorted(head.keys, data.keys)
    return _score(data.select(scored), logits[scored], columns[scored], head.keys)


def fit_without(
    data: TrainingSet, held_back: NDArray[np.bool_], keys: tuple[int, ...]
) -> Head | None:
    """The head that has not seen some of the vectors; None where fewer than two classes are
    left.
    """
    rest = data.select(~held_back)
    if len(np.unique(rest.keys)) < 2:
        return None
    return fit_training_set(rest, keys)


def _have_two_strokes(data: TrainingSet, is_own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which vectors (N,) are of a class that two strokes or more have, of those that count."""
    many = [
        key
        for key in np.unique(data.keys)
        if len(np.unique(data.strokes[(data.keys == key) & is_own])) > 1
    ]
    return np.isin(data.keys, many)


def _spread_folds(data: TrainingSet) -> NDArray[np.intp]:
    """The fold (N,) of each vector, by its stroke; where all strokes of a class would be in one,
    its last stroke is in the following.
    """
    fold = fold_of(data.strokes)
    for key in np.unique(data.keys):
        rows = data.keys == key
        if len(np.unique(fold[rows])) == 1:
            last = data.strokes[rows].max()
            fold[data.strokes == last] = (fold[rows][0] + 1) % FOLDS
    return fold


def fold_of(strokes: NDArray[np.intp]) -> NDArray[np.intp]:
    """The fold (N,) of each vector by its stroke's number, which a stroke keeps for ever."""
    mixed: NDArray[np.intp] = (strokes * 2_654_435_761 % 2**32) // 2**16 % FOLDS
    return mixed


def _score(
    data: TrainingSet,
    logits: NDArray[np.float32],
    columns: NDArray[np.intp],
    keys: tuple[int, ...],
) -> FoldScores:
    predicted = logits.argmax(axis=1)
    hits = predicted == columns
    right = {
        int(number): float(hits[data.strokes == number].mean())
        for number in np.unique(data.strokes)
    }
    iou = {}
    for column, key in enumerate(keys):
        truth = columns == column
        guess = predicted == column
        union = float(data.weights @ (truth | guess))
        if truth.any() and union:
            iou[key] = float(data.weights @ (truth & guess)) / union
    return FoldScores(right, find_temperature(logits, columns, data.weights), iou)
