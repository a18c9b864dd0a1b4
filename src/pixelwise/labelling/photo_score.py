"""How good the live model is on whole photos: those that a person accepted, each asked of a model
that has not seen it; and what more labelled photos would give.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Labels
from pixelwise.labelling.folds import FOLDS
from pixelwise.labelling.samples import SampleStore, fit_training_set

# Accepted photos from which there is a score: an interval over fewer says nothing.
MIN_ACCEPTED = 5
# Labelled photos from which more are foretold: a quarter of those in a fit are two then.
MIN_LABELLED = 10
# Draws of the bootstrap over photos.
ROUNDS = 1000
# Parts of the labelled photos on which heads are fitted for the curve, so that each photo is in one
# of the halves and in one of the quarters.
_PARTS = (1, 2, 4)

Matrices = NDArray[np.int64]
"""Pixels (P, C, C + 1) of each photo by true and predicted class; the last column is of those that
no model answered."""


@dataclass(frozen=True, eq=False)
class AcceptedPhoto:
    """Pixels of an accepted photo: vectors (N, D) and class keys (N,)."""

    vectors: NDArray[np.float16]
    keys: Labels


@dataclass(frozen=True)
class Estimate:
    """A mean IoU with its 95 % interval, and the number of labelled photos that give it."""

    photos: int
    mean_iou: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What twice the labelled photos give, and the 95 % interval of the gain, `low` to `high`."""

    photos: int
    mean_iou: float
    low: float
    high: float


@dataclass(frozen=True)
class PhotoScore:
    """The score over `accepted` photos. iou by class key. curve: scores by the number of labelled
    photos in a fit, the last being the score itself. forecast: None with few photos.
    """

    accepted: int
    labelled: int
    iou: dict[int, float]
    curve: tuple[Estimate, ...]
    forecast: Forecast | None

    @property
    def score(self) -> Estimate:
        """Of a fit on all labelled photos but a fifth."""
        return self.curve[-1]


def score_photos(
    samples: SampleStore,
    table: Labels,
    accepted: Mapping[str, AcceptedPhoto],
    order: Sequence[str],
    proceed: Callable[[], bool] = lambda: True,
) -> PhotoScore | None:
    """Fit heads without a fifth of the labelled photos and ask them about the accepted ones among
    it. Photos that follow each other in `order` are left out together: frames of a film are alike.

    table: what each label is after merging. proceed: asked before each fit; None is returned where
    it says no, and with fewer than MIN_ACCEPTED photos.
    """
    known = set(samples.names)
    labelled = [name for name in order if name in known]
    tested = [name for name in labelled if name in accepted]
    if len(tested) < MIN_ACCEPTED:
        return None
    keys = np.unique(np.concatenate([accepted[name].keys for name in tested]))
    parts = _PARTS if len(labelled) >= MIN_LABELLED else _PARTS[:1]
    counts = {part: [list[Matrices]() for _ in range(part)] for part in parts}
    rng = np.random.default_rng(0)
    for fold in np.array_split(np.array(labelled), FOLDS):
        left_out = set(fold.tolist())
        rest = rng.permutation([name for name in labelled if name not in left_out])
        photos = [accepted[name] for name in tested if name in left_out]
        for part in parts if photos else ():
            for repeat, chosen in enumerate(np.array_split(rest, part)):
                if not proceed():
                    return None
                matrices = _ask(samples, table, set(chosen.tolist()), photos, keys)
                counts[part][repeat].append(matrices)
    stacked = {part: np.stack(list(map(np.concatenate, rows))) for part, rows in counts.items()}
    return _judge(stacked, keys, len(labelled))


def _ask(
    samples: SampleStore,
    table: Labels,
    chosen: set[str],
    photos: Sequence[AcceptedPhoto],
    keys: Labels,
) -> Matrices:
    """What a head that is fitted on the photos `chosen` says of the others."""
    data = samples.training_set(table, chosen)
    head = None
    if data is not None:
        head = fit_training_set(data, tuple(map(int, np.unique(data.keys))))
    matrices = np.zeros((len(photos), len(keys), len(keys) + 1), np.int64)
    for place, photo in enumerate(photos):
        predicted = np.full(len(photo.keys), len(keys))
        if head is not None:
            answers = np.array(head.keys)[head.logits(photo.vectors).argmax(axis=1)]
            columns = np.searchsorted(keys, answers).clip(0, len(keys) - 1)
            # a class that no accepted photo has is wrong wherever it is predicted
            predicted = np.where(keys[columns] == answers, columns, len(keys))
        np.add.at(matrices[place], (np.searchsorted(keys, photo.keys), predicted), 1)
    return matrices


def _judge(counts: Mapping[int, Matrices], keys: Labels, labelled: int) -> PhotoScore:
    """From matrices (repeats, P, C, C + 1) by part to scores: a bootstrap over photos, and over the
    repeats, the same photos for all parts.
    """
    rng = np.random.default_rng(0)
    photos = counts[1].shape[1]
    draws = rng.multinomial(photos, [1 / photos] * photos, ROUNDS)  # (ROUNDS, P)
    in_fit = labelled - labelled / FOLDS
    scores = dict[int, float]()
    drawn = dict[int, NDArray[np.float64]]()
    curve = list[Estimate]()
    for part in sorted(counts, reverse=True):
        repeats = len(counts[part])
        mixed = rng.multinomial(repeats, [1 / repeats] * repeats, ROUNDS) / repeats
        sums = np.tensordot(draws.astype(float), counts[part].astype(float), (1, 1))
        drawn[part] = (_mean_iou(sums) * mixed).sum(axis=1)
        scores[part] = float(_mean_iou(counts[part].sum(axis=1)).mean())
        low, high = np.quantile(drawn[part], (0.025, 0.975))
        curve.append(Estimate(round(in_fit / part), scores[part], float(low), float(high)))
    iou = _iou(counts[1].sum(axis=(0, 1)))
    forecast = None
    if 2 in counts:
        gains = extrapolate(drawn[2], drawn[1]) - drawn[1]
        low, high = np.quantile(gains, (0.025, 0.975))
        best = float(extrapolate(np.array(scores[2]), np.array(scores[1])))
        forecast = Forecast(round(2 * in_fit), best, float(low), float(high))
    by_key = {int(key): float(value) for key, value in zip(keys, iou, strict=True)}
    return PhotoScore(photos, labelled, by_key, tuple(curve), forecast)


def extrapolate(half: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score of twice the data, from those of the half and of the whole: the error falls by the
    same factor again, as it does where it is a power of the amount (Cortes et al. 1994).
    """
    error = (1 - whole) ** 2 / np.maximum(1 - half, 1e-6)
    clipped: NDArray[np.float64] = (1 - error).clip(0, 1)
    return clipped


def _iou(matrices: NDArray[Any]) -> NDArray[np.float64]:
    """(..., C, C + 1) to (..., C); NaN for a class that no pixel is of."""
    truth = matrices.sum(axis=-1).astype(float)
    right = np.diagonal(matrices, axis1=-2, axis2=-1)
    predicted = matrices[..., :-1].sum(axis=-2)
    return np.where(truth > 0, right / np.maximum(truth + predicted - right, 1), np.nan)


def _mean_iou(matrices: NDArray[Any]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.nanmean(_iou(matrices), axis=-1)
    return mean
