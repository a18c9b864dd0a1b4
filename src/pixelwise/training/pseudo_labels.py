"""Pseudo-labels: the labels of which a trained model is sure in images without masks.

Sources: Lee 2013, "Pseudo-Label"; Yang et al. 2022, "ST++", section 3.2 (images ranked by how well
predictions agree); Zou et al. 2018, "Class-balanced self-training", section 4 (of each class the
same share, here found on validation).
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.datasets.scan import SplitStats
from pixelwise.datasets.types import DataSet, Pair
from pixelwise.errors import ConfigError
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.inference.resize import resize_labels, resize_picture
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, Picture, void_invalid, write_labels
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.progress import Progress
from pixelwise.training.unlabelled_pool import KnownImages, read_pool

INDEX = "pseudo_labels.json"

# Of each class the same share of pixels is kept, the surest ones: with one threshold for all, the
# commonest class, of which any model is sure, would take the others' place. The greatest of these
# shares that keeps so many validation pixels right, in the mean over the classes.
SHARES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
PRECISION = 0.9

# No threshold is higher, as then a class might vanish that few validation pixels show.
HIGHEST = 0.99

# The size of the second view, beside that of the first.
SMALLER = 0.75

# Of the images labelled, those on whose two views the model agrees best are kept. Of a model from
# 78 photos of VOC, 90 % of the kept pixels of horses are right in the best half, 73 % in all
# (benchmarks/results/less.md).
KEPT_IMAGES = 0.67

_BINS = 1000


@dataclass(frozen=True)
class PseudoImage:
    """An image of the pool and its mask in the folder of pseudo-labels."""

    image: str
    mask: str
    size: tuple[int, int]
    agreement: float
    """Mean IoU of the labels of its two views."""
    pixels: tuple[int, ...]
    """Pixels of each class that are kept; the rest is void."""


@dataclass(frozen=True)
class PseudoLabels:
    """The images of a pool that a training learns from as if they were labelled."""

    folder: Path
    images: tuple[PseudoImage, ...]
    labelled: int
    """How many were labelled, of which these are the best."""
    left_out: int
    """Images of the pool that cannot be read, or are known."""

    def repeats(self, labelled: int) -> int:
        """How often each of the `labelled` images counts, to be about as many."""
        return max(1, round(len(self.images) / labelled))

    def describe(self) -> str:
        """A line for the terminal."""
        pixels = sum(sum(item.pixels) for item in self.images)
        total = sum(item.size[0] * item.size[1] for item in self.images)
        text = (
            f"{self.labelled} images of the pool labelled, the {len(self.images)} of which the "
            f"model is surest kept, with {pixels / max(1, total):.0%} of their pixels"
        )
        if self.left_out:
            text += f"; left out: {self.left_out} (see {self.folder / INDEX})"
        return text

    def add_to(self, dataset: DataSet, train: SplitStats) -> tuple[DataSet, SplitStats]:
        """The data set whose reader knows these masks too, and its training split with these
        images, in which the labelled ones are repeated until they are about as many.
        """
        classes = len(dataset.classes)
        pairs = tuple(
            Pair(Path(item.image).stem, Path(item.image), self.folder / item.mask)
            for item in self.images
        )
        repeats = self.repeats(len(train.pairs))
        pixels = np.array([item.pixels for item in self.images]).reshape(-1, classes)  # (N, C)
        totals = pixels.sum(1, keepdims=True)
        holding = np.where(pixels > 0, totals, 0).sum(0)
        counts = repeats * np.array(train.pixels) + pixels.sum(0)
        all_holding = repeats * np.array(train.holding) + holding
        extended = replace(
            train,
            pairs=train.pairs * repeats + pairs,
            sizes=train.sizes * repeats + tuple(item.size for item in self.images),
            pixels=tuple(counts.tolist()),
            holding=tuple(all_holding.tolist()),
        )
        reader = WithPseudoLabels(dataset.read_labels, self.folder)
        return replace(dataset, read_labels=reader), extended


@dataclass(frozen=True)
class WithPseudoLabels:
    """Reads the masks of a data set, and those in the folder of pseudo-labels."""

    read_labels: Callable[[Path], Array]
    folder: Path

    def __call__(self, path: Path) -> Array:
        """Labels (H, W) uint8 of a mask; 255 is void."""
        if path.parent != self.folder:
            return self.read_labels(path)
        with Image.open(path) as image:
            return np.asarray(image)


def find_thresholds(
    predictor: Predictor, dataset: DataSet, pairs: Sequence[Pair], progress: Progress
) -> tuple[float, ...]:
    """By class, the least confidence of the pixels that are kept: of each class the same share of
    those that the validation images are given, the greatest of SHARES that is precise enough.
    """
    classes = len(dataset.classes)
    pixels = np.zeros((classes, _BINS))
    right = np.zeros((classes, _BINS))
    for pair in progress.track(pairs, what="thresholds on val", total=len(pairs)):
        view = _look(predictor, predictor.read(pair.image))
        truth = void_invalid(dataset.read_labels(pair.mask), view.result.valid)
        known = (truth != VOID) & view.agree
        labels = view.result.labels[known]
        bins = np.minimum((view.result.confidence[known] * _BINS).astype(np.intp), _BINS - 1)
        flat = labels.astype(np.intp) * _BINS + bins
        correct = labels == truth[known]
        pixels += np.bincount(flat, minlength=pixels.size).reshape(pixels.shape)
        right += np.bincount(flat[correct], minlength=pixels.size).reshape(pixels.shape)
    bins = np.zeros(classes, np.intp)
    for share in SHARES:
        bins = np.array([_first_bin(row, share) for row in pixels])
        if _mean_precision(pixels, right, bins) >= PRECISION:
            break
    # of a class that validation never shows nothing is known
    bins[pixels.sum(1) == 0] = bins.max()
    return tuple(np.minimum(HIGHEST, bins / _BINS).tolist())


def _first_bin(pixels: NDArray[np.float64], share: float) -> int:
    """Of counts by bins of confidence (BINS,), the bin from which on about `share` of them lie."""
    above = pixels[::-1].cumsum()[::-1]
    return int(np.count_nonzero(above > share * above[0]))


def _mean_precision(
    pixels: NDArray[np.float64], right: NDArray[np.float64], bins: NDArray[np.intp]
) -> float:
    """The share of right pixels from a bin of each class on, in the mean over the classes."""
    precise = [
        correct[first:].sum() / row[first:].sum()
        for row, correct, first in zip(pixels, right, bins, strict=True)
        if row[first:].sum()
    ]
    return float(np.mean(precise)) if precise else 0.0


@dataclass(frozen=True)
class _Views:
    """What the model says of an image and its mirror, and where it says so of a smaller one too."""

    result: Result
    smaller: Array
    """(H, W) labels of the image, seen smaller."""

    @property
    def agree(self) -> NDArray[np.bool_]:
        return np.asarray(self.result.labels == self.smaller)

    @property
    def mean_iou(self) -> float:
        confusion = ConfusionMatrix(len(self.result.classes))
        confusion.update(torch.from_numpy(self.result.labels), torch.from_numpy(self.smaller))
        return confusion.scores().mean_iou


def _look(predictor: Predictor, picture: Picture) -> _Views:
    result = predictor.predict(picture, tta=True)
    height, width = result.labels.shape
    view = resize_picture(picture, predictor.view_size((height, width), picture))
    smaller = predictor.predict(view, tta=True, scales=(SMALLER,)).labels
    return _Views(result, np.array(resize_labels(smaller, (height, width))))


def label_pool(
    predictor: Predictor,
    images: Sequence[Path],
    *,
    known: KnownImages,
    count: int,
    thresholds: Sequence[float],
    folder: Path,
    progress: Progress,
) -> PseudoLabels:
    """Label `count` of the images, as they come, into `folder`, and keep those on which the model
    agrees with itself best; the index is written last.
    """
    left_out: dict[str, str] = {}
    labelled: list[PseudoImage] = []
    total = min(count, len(images))
    pool = read_pool(images, known, predictor, left_out)
    for path, picture in progress.track(pool, what="labelling the pool", total=total):
        views = _look(predictor, picture)
        result = views.result
        # void, where the picture has no values, is never sure
        least = np.append(thresholds, np.full(256 - len(thresholds), np.inf))
        is_sure = views.agree & (result.confidence >= least[result.labels])
        labels = np.where(is_sure, result.labels, VOID).astype(np.uint8)
        name = f"{len(labelled):06d}_{path.stem[:50]}.png"  # file names have an end
        write_labels(folder / name, labels, result.palette)
        counts = np.bincount(labels.ravel(), minlength=256)[: len(thresholds)]
        labelled.append(
            PseudoImage(
                str(path),
                name,
                (labels.shape[0], labels.shape[1]),
                views.mean_iou,
                tuple(counts.tolist()),
            )
        )
        if len(labelled) >= total:
            break
    labelled.sort(key=lambda item: item.agreement, reverse=True)
    best = labelled[: math.ceil(KEPT_IMAGES * len(labelled))]
    labels_found = PseudoLabels(
        folder, tuple(item for item in best if sum(item.pixels)), len(labelled), len(left_out)
    )
    _write_index(labels_found, thresholds, left_out)
    return labels_found


def _write_index(
    labels: PseudoLabels, thresholds: Sequence[float], left_out: dict[str, str]
) -> None:
    content = {
        "thresholds": list(thresholds),
        "labelled": labels.labelled,
        "left_out": left_out,
        "images": [asdict(item) for item in labels.images],
    }
    write_text(labels.folder / INDEX, json.dumps(content, indent=1) + "\n")


def read_pseudo_labels(folder: Path) -> PseudoLabels:
    """What `label_pool` wrote. Raises ConfigError where it is damaged."""
    try:
        content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        rows = content["images"]
        images = tuple(
            PseudoImage(**{**row, "size": tuple(row["size"]), "pixels": tuple(row["pixels"])})
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder / INDEX} is damaged ({error}); remove {folder} to label the images again"
        ) from error
    return PseudoLabels(folder, images, content["labelled"], len(content["left_out"]))
