"""What the live model learns from: feature vectors of strokes, with the labels that their pixels
have now.
"""

from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Labels
from pixelwise.labelling.head import Head, fit_head
from pixelwise.labelling.photo_features import PhotoFeatures
from pixelwise.labelling.strokes import UNLABELLED, Stroke
from pixelwise.labelling.vectors import StrokeSamples, choose_pixels, stroke_weight

# Vectors that a fit takes: of many strokes each gives fewer, so that the last one is answered as
# quickly as the first.
MAX_VECTORS = 4000
# Features by stride, the finest first, and how much those of each stride count: the second coarsest
# knows best what there is and still where.
_WIDTHS = (12, 16, 24, 40, 112, 320)
_SCALES = np.array((1, 1, 1, 1, 1.5, 1), np.float32)


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Vectors (N, D), class keys, weights, and the strokes and photos that they are of, all
    (N,); `names` by photo.
    """

    vectors: NDArray[np.float32]
    keys: NDArray[np.uint8]
    weights: NDArray[np.float32]
    strokes: NDArray[np.intp]
    photos: NDArray[np.intp]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def select(self, rows: NDArray[np.bool_]) -> "TrainingSet":
        """Some of the vectors."""
        return TrainingSet(
            self.vectors[rows],
            self.keys[rows],
            self.weights[rows],
            self.strokes[rows],
            self.photos[rows],
            self.names,
        )


class SampleStore:
    """Vectors of strokes by photo and by the stroke's number. One thread adds and refreshes, any
    may `copy`.
    """

    def __init__(self) -> None:
        self._strokes = dict[str, dict[int, StrokeSamples]]()
        self._labels = dict[str, dict[int, NDArray[np.uint8]]]()
        self._lock = Lock()

    @property
    def names(self) -> list[str]:
        """The photos that have strokes."""
        return [name for name, labels in self._labels.items() if labels]

    def copy(self) -> "SampleStore":
        """What is here now, which nobody changes."""
        other = SampleStore()
        with self._lock:
            other._strokes = {name: dict(strokes) for name, strokes in self._strokes.items()}
            other._labels = dict(self._labels)
        return other

    def has(self, name: str, number: int) -> bool:
        """Whether the stroke's vectors are here."""
        return number in self._strokes.get(name, {})

    def add(
        self, name: str, number: int, stroke: Stroke, size: tuple[int, int], features: PhotoFeatures
    ) -> None:
        """Take the vectors of a stroke on a photo of `size`."""
        rows, columns = choose_pixels(stroke, size, number)
        vectors = features.at(rows, columns)
        weight = stroke_weight(stroke, len(rows))
        with self._lock:
            strokes = self._strokes.setdefault(name, {})
            strokes[number] = StrokeSamples(rows, columns, vectors, weight)

    def refresh(self, name: str, labels: Labels, active: Collection[int]) -> None:
        """See which labels (H, W) the pixels of a photo's strokes have now, where `active` are the
        numbers of those that count.
        """
        with self._lock:
            strokes = self._strokes.get(name, {})
            for number in [number for number in strokes if number not in active]:
                # of a stroke that is redone later the vectors are taken once more
                del strokes[number]
            self._labels[name] = {
                number: labels[item.rows, item.columns] for number, item in strokes.items()
            }

    def training_set(
        self, table: Labels, names: Collection[str] | None = None
    ) -> TrainingSet | None:
        """What a fit takes, of the photos `names` alone if they are given; `table` says what each
        label is after merging. None without two classes.
        """
        held = [
            (place, number, samples, table[self._labels[name][number]])
            for place, name in enumerate(self._strokes)
            if names is None or name in names
            for number, samples in self._strokes[name].items()
            if number in self._labels.get(name, {})
        ]
        share = max(1, MAX_VECTORS // max(1, len(held)))
        if len(held) > MAX_VECTORS:
            held = sorted(held, key=lambda item: item[1])
            step = -(-len(held) // MAX_VECTORS)
            held = held[len(held) % step :: step]
        parts = [_select(*item, share) for item in held]
        parts = [part for part in parts if len(part[1])]
        if len({key for part in parts for key in np.unique(part[1])}) < 2:
            return None
        vectors, keys, weights, strokes, photos = map(np.concatenate, zip(*parts, strict=True))
        balanced = _balance(keys, weights)
        return TrainingSet(
            vectors.astype(np.float32), keys, balanced, strokes, photos, tuple(self._strokes)
        )


Part = tuple[
    NDArray[np.float16],
    NDArray[np.uint8],
    NDArray[np.float32],
    NDArray[np.intp],
    NDArray[np.intp],
]


def _select(
    place: int, number: int, samples: StrokeSamples, labels: NDArray[np.uint8], share: int
) -> Part:
    """At most `share` labelled pixels of a stroke."""
    labelled = np.flatnonzero((labels != UNLABELLED) & (labels != VOID))
    # an accepted photo has pixels of many strokes, and may give more
    limit = max(share, len(samples.rows) * share // 100)
    chosen = labelled[:limit]
    weight = samples.weight * len(labelled) / max(1, len(samples.rows)) / max(1, len(chosen))
    return (
        samples.vectors[chosen],
        labels[chosen],
        np.full(len(chosen), weight, np.float32),
        np.full(len(chosen), number),
        np.full(len(chosen), place),
    )


def _balance(keys: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights by which rare classes count more, half way to counting as much as the others."""
    totals = np.bincount(keys, weights, minlength=256)
    balanced: NDArray[np.float32] = (weights / np.sqrt(totals[keys])).astype(np.float32)
    return balanced


def fit_training_set(data: TrainingSet, keys: tuple[int, ...]) -> Head:
    """The head of a training set, with a column for each of `keys`."""
    scales = np.repeat(_SCALES, _WIDTHS)
    columns = np.searchsorted(keys, data.keys)
    return fit_head(data.vectors, columns, data.weights, keys, scales)
