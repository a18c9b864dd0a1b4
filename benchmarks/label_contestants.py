"""Who answers the robot's strokes in label.py.

A contestant takes strokes by `add`, answers by `predict` (ids (H, W) of an image of the pool or of
the test, None while it knows nothing), and proposes the image that comes `next`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier

from pixelwise.labelling.features import FeatureExtractor, measure_pixels
from pixelwise.labelling.next_photo import Doubt, rank_photos
from pixelwise.labelling.photo_features import PhotoFeatures
from pixelwise.labelling.predictions import HeadPrediction
from pixelwise.labelling.rasterise import Box
from pixelwise.labelling.samples import SampleStore, fit_training_set
from pixelwise.labelling.strokes import UNLABELLED, Stroke
from pixelwise.labelling.vectors import choose_pixels

VOID = 255
SIGMAS = (0.7, 1.0, 1.6, 3.5, 5.0, 10.0)


@dataclass(frozen=True)
class Sample:
    path: Path
    rgb: np.ndarray  # (H, W, 3)
    truth: np.ndarray  # (H, W)


class Live:
    """The live model of `pixelwise label`."""

    def __init__(self, pool: list[Sample], test: list[Sample], classes: int) -> None:
        extractor = FeatureExtractor()

        def features(sample: Sample) -> PhotoFeatures:
            pyramid = {1: measure_pixels(sample.rgb), **extractor.extract(sample.rgb)}
            return PhotoFeatures(pyramid, 0)

        self.pool = [features(sample) for sample in pool]
        self.test = [features(sample) for sample in test]
        rng = np.random.default_rng(0)
        self.places = [
            (rng.integers(0, s.truth.shape[0], 64), rng.integers(0, s.truth.shape[1], 64))
            for s in pool
        ]
        self.names = tuple(map(str, range(classes)))
        self.reset()

    def reset(self) -> None:
        self.store = SampleStore()
        self.strokes: dict[int, dict[int, Stroke]] = {}
        self.labels: dict[int, np.ndarray] = {}
        self.number = 0
        self.head = None

    def add(self, place: int, stroke: Stroke, size: tuple[int, int]) -> None:
        labels = self.labels.setdefault(place, np.full(size, UNLABELLED, np.uint8))
        stroke.paint(labels)
        self.number += 1
        active = self.strokes.setdefault(place, {})
        active[self.number] = stroke
        self.store.add(str(place), self.number, stroke, size, self.pool[place])
        self.store.refresh(str(place), labels, active)
        data = self.store.training_set(np.arange(256, dtype=np.uint8))
        if data is not None:
            self.head = fit_training_set(data, tuple(map(int, np.unique(data.keys))))

    def predict(self, place: int, *, of_test: bool = False) -> np.ndarray | None:
        if self.head is None:
            return None
        features = (self.test if of_test else self.pool)[place]
        return HeadPrediction(features, self.head).window(Box(0, 0, *features.size)).labels

    def next(self, left: list[int]) -> int:
        if self.head is None:
            return left[0]
        doubts = {}
        for place in left:
            logits = self.head.logits(self.pool[place].at(*self.places[place]))
            doubts[str(place)] = Doubt.of(logits, tuple(self.names[k] for k in self.head.keys))
        means = {
            str(n): item.pyramid[32].astype(np.float32).mean(axis=(1, 2))
            for n, item in enumerate(self.pool)
        }
        return int(rank_photos(means, doubts, [str(n) for n in self.strokes])[0].name)


class Forest:
    """A random forest of 100 trees on classical filters, fitted on the same pixels of strokes."""

    def __init__(self, pool: list[Sample], test: list[Sample], classes: int) -> None:
        self.pool = [sample.rgb for sample in pool]
        # every second pixel: the whole would take several times as long
        self.test = [filter_bank(sample.rgb)[:, ::2, ::2].copy() for sample in test]
        self.sizes = [sample.truth.shape for sample in test]
        self.planes: dict[int, np.ndarray] = {}
        self.reset()

    def reset(self) -> None:
        self.labels: dict[int, np.ndarray] = {}
        self.rows: list[tuple[int, np.ndarray, np.ndarray]] = []
        self.vectors: list[np.ndarray] = []
        self.forest: RandomForestClassifier | None = None

    def add(self, place: int, stroke: Stroke, size: tuple[int, int]) -> None:
        labels = self.labels.setdefault(place, np.full(size, UNLABELLED, np.uint8))
        stroke.paint(labels)
        self.rows.append((place, *choose_pixels(stroke, size, len(self.rows))))
        values = self.bank(place)
        self.vectors.append(values[:, self.rows[-1][1], self.rows[-1][2]].T)
        vectors = np.concatenate(self.vectors)
        keys = np.concatenate([self.labels[p][r, c] for p, r, c in self.rows])
        if len(np.unique(keys)) > 1:
            forest = RandomForestClassifier(100, n_jobs=1, random_state=0)
            self.forest = forest.fit(vectors.astype(np.float32), keys)

    def predict(self, place: int, *, of_test: bool = False) -> np.ndarray | None:
        if self.forest is None:
            return None
        step = 2 if of_test else 4
        values = self.test[place] if of_test else self.bank(place)[:, ::4, ::4]
        height, width = self.sizes[place] if of_test else self.pool[place].shape[:2]
        labels = self.forest.predict(values.reshape(len(values), -1).T.astype(np.float32))
        labels = labels.reshape(values.shape[1:]).repeat(step, axis=0).repeat(step, axis=1)
        return labels[:height, :width]

    def bank(self, place: int) -> np.ndarray:
        """The planes of an image of the pool; those of the last ones are held."""
        if place not in self.planes:
            if len(self.planes) > 2:
                del self.planes[next(iter(self.planes))]
            self.planes[place] = filter_bank(self.pool[place])
        return self.planes[place]

    def next(self, left: list[int]) -> int:
        return left[0]


def filter_bank(rgb: np.ndarray) -> np.ndarray:
    """(F, H, W) float16: the colours and their Gaussians, and of the brightness at each sigma what
    ilastik has: gradient magnitude, Laplacian, difference of Gaussians, and the eigenvalues of
    Hessian and structure tensor.
    """
    colours = rgb.astype(np.float32).transpose(2, 0, 1) / 255
    grey = colours.mean(axis=0)
    planes = [*colours]
    for sigma in SIGMAS:
        smooth = [ndimage.gaussian_filter(plane, sigma) for plane in colours]
        first = [ndimage.gaussian_filter(grey, sigma, order=order) for order in ((1, 0), (0, 1))]
        second = [
            ndimage.gaussian_filter(grey, sigma, order=order) for order in ((2, 0), (0, 2), (1, 1))
        ]
        difference = sum(smooth) / 3 - ndimage.gaussian_filter(grey, 0.66 * sigma)
        planes += [*smooth, np.hypot(*first), second[0] + second[1], difference]
        planes += eigenvalues(*second)
        tensor = [first[0] ** 2, first[1] ** 2, first[0] * first[1]]
        planes += eigenvalues(*(ndimage.gaussian_filter(plane, sigma) for plane in tensor))
    return np.stack(planes).astype(np.float16)


def eigenvalues(down: np.ndarray, across: np.ndarray, mixed: np.ndarray) -> list[np.ndarray]:
    mean = (down + across) / 2
    spread = np.hypot((down - across) / 2, mixed)
    return [mean + spread, mean - spread]


CONTESTANTS: dict[str, Callable[..., object]] = {"live": Live, "forest": Forest}
