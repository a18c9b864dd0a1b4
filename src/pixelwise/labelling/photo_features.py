"""Features by photo: in memory for the last ones, on the disk for the others, made where they are
nowhere.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pixelwise.io.images import Array
from pixelwise.labelling.feature_cache import FeatureCache
from pixelwise.labelling.features import ENCODER, MAX_PIXELS, STRIDES, FeatureMap, measure_pixels
from pixelwise.labelling.photos import Photo
from pixelwise.labelling.vectors import gather

# Changes with what features are: those of another version are made again.
VERSION = 1
# Places of a photo by which the next one is chosen, and those by which it is scored.
SUMMARY = 64
SPREAD = 256
_MAX_HELD = 3

Arrays = dict[str, NDArray[np.float16]]
Wait = Callable[[], None] | None
Extract = Callable[[Array, Wait], dict[int, FeatureMap]]


@dataclass(frozen=True, eq=False)
class PhotoFeatures:
    """Feature maps (C, h, w) by stride, of the photo at level `level`: at half its size once, twice
    and so on.
    """

    pyramid: dict[int, FeatureMap]
    level: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture that they were made of."""
        _, height, width = self.pyramid[1].shape
        return height, width

    def at(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float16]:
        """Vectors (N, D) of pixels of the whole photo."""
        scale = 2.0**self.level
        return gather(self.pyramid, (rows + 0.5) / scale, (columns + 0.5) / scale)


@dataclass(frozen=True, eq=False)
class Summary:
    """A photo in short: vectors (SUMMARY, D) of places spread over it, and the mean of its coarsest
    features, (C,).
    """

    vectors: NDArray[np.float16]
    mean: NDArray[np.float16]


def working_level(size: tuple[int, int]) -> int:
    """The level at which a photo of `size` is looked at: the first of at most MAX_PIXELS."""
    level = 0
    while (size[0] >> level) * (size[1] >> level) > MAX_PIXELS:
        level += 1
    return level


class FeatureStore:
    """Features of any photo, by its digest."""

    def __init__(self, extract: Extract, cache: FeatureCache) -> None:
        self._extract = extract
        self._cache = cache
        self._held = OrderedDict[str, PhotoFeatures]()
        self._lock = Lock()
        self._making = dict[str, Lock]()

    def get(self, photo: Photo) -> PhotoFeatures:
        """The features of a photo; two threads that ask at once wait for one computation."""
        with self._lock:
            features = self._held.get(photo.digest)
            if features is not None:
                self._held.move_to_end(photo.digest)
                return features
            making = self._making.setdefault(photo.digest, Lock())
        with making:
            if photo.digest not in self._held:
                features = self._load(photo)
                self._hold(photo.digest, features)
            return self._held.get(photo.digest) or self._load(photo)

    def summary(self, photo: Photo, wait: Wait = None) -> Summary:
        """The photo in short, of the disk where it is there; its features are on the disk then
        too. `wait` as `FeatureExtractor.extract` takes it.
        """
        arrays = self._small(photo, "summary", _summarize, wait)
        return Summary(arrays["vectors"], arrays["mean"])

    def spread(self, photo: Photo, wait: Wait = None) -> NDArray[np.float16]:
        """The vectors (SPREAD, D) of `spread_places` of a photo, of the disk as `summary`."""
        return self._small(photo, "spread", _spread, wait)["vectors"]

    def _small(
        self, photo: Photo, kind: str, make: Callable[[PhotoFeatures, Photo], Arrays], wait: Wait
    ) -> Arrays:
        """What `make` takes out of the features of a photo, of the disk where it is there."""
        key = f"{self._key(photo.digest)}-{kind}"
        arrays = self._cache.load(key)
        if arrays is None:
            arrays = make(self._held.get(photo.digest) or self._load(photo, wait), photo)
            self._cache.save(key, arrays)
        return arrays

    def _key(self, digest: str) -> str:
        return f"{digest[:32]}-{ENCODER}-{VERSION}"

    def _hold(self, digest: str, features: PhotoFeatures) -> None:
        with self._lock:
            self._held[digest] = features
            self._making.pop(digest, None)
            while len(self._held) > _MAX_HELD:
                self._held.popitem(last=False)

    def _load(self, photo: Photo, wait: Wait = None) -> PhotoFeatures:
        level = working_level(photo.size)
        rgb = photo.levels[min(level, len(photo.levels) - 1)]
        arrays = self._cache.load(self._key(photo.digest))
        names = {str(stride) for stride in STRIDES}
        if arrays is None or set(arrays) != names:
            arrays = self._make(photo, wait)
        pyramid = {1: measure_pixels(rgb)}
        pyramid |= {stride: arrays[str(stride)] for stride in STRIDES}
        return PhotoFeatures(pyramid, level)

    def _make(self, photo: Photo, wait: Wait) -> dict[str, FeatureMap]:
        rgb = photo.levels[working_level(photo.size)]
        arrays = {str(stride): values for stride, values in self._extract(rgb, wait).items()}
        self._cache.save(self._key(photo.digest), arrays)
        return arrays


def spread_places(size: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns (SPREAD,) of pixels of a photo of `size`, each of them as likely as any
    other.
    """
    return _draw_places(size, SPREAD, seed=1)


def _draw_places(
    size: tuple[int, int], count: int, *, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    height, width = size
    return rng.integers(0, height, count), rng.integers(0, width, count)


def _spread(features: PhotoFeatures, photo: Photo) -> Arrays:
    return {"vectors": features.at(*spread_places(photo.size))}


def _summarize(features: PhotoFeatures, photo: Photo) -> Arrays:
    rows, columns = _draw_places(photo.size, SUMMARY, seed=0)
    coarse = features.pyramid[STRIDES[-1]].astype(np.float32)
    return {
        "vectors": features.at(rows, columns),
        "mean": coarse.mean(axis=(1, 2)).astype(np.float16),
    }
