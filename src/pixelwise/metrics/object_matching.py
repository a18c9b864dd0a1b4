"""Predicted objects against true ones: which are found, how well, and how far their number is off.

Source: Kirillov et al. 2019, "Panoptic Segmentation", sections 4.1 and 4.2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from pixelwise.metrics.bootstrap import bootstrap_ratio
from pixelwise.metrics.confusion import Figures, json_number, nan_mean, safe_divide

# A true and a predicted object match where their IoU is above; from .5 on at most one can.
THRESHOLDS = (0.5, 0.75)
# An object that nothing matches does not count where more of it than this share is void.
VOID_SHARE = 0.5
# What all classes together are called beside the classes.
ALL = "all classes"

Bits = NDArray[np.bool_]


class ObjectMap(NamedTuple):
    """Objects of an image: ids (H, W) from 1 to N, 0 for none; labels (N + 1,) their classes."""

    ids: NDArray[np.signedinteger]
    labels: NDArray[np.int64]


class ObjectFigures(NamedTuple):
    """Of a class, or of all; NaN where it has no object. F1 and RQ of a class are one figure."""

    name: str
    precision: float
    recall: float
    f1: float
    pq: float
    sq: float
    rq: float


class CountError(NamedTuple):
    """Objects of a class, or of all: predicted / true - 1, and its 95 % interval."""

    name: str
    true: int
    predicted: int
    error: float
    low: float
    high: float


def number_objects(
    ids: NDArray[np.signedinteger], labels: NDArray[np.uint8], classes: Bits
) -> ObjectMap:
    """Objects by ids (H, W), 0 for none, and labels (H, W); `classes` (256,) says which labels are
    of objects. One id with two labels is two objects.
    """
    inside = (ids > 0) & classes[labels]
    keys = ids[inside].astype(np.int64) * 256 + labels[inside]
    values, numbered = np.unique(keys, return_inverse=True)
    numbers = np.zeros(ids.shape, np.int64)
    numbers[inside] = numbered + 1
    return ObjectMap(numbers, np.concatenate([[0], values % 256]))


def match_objects(truth: ObjectMap, predicted: ObjectMap, void: Bits, classes: int) -> Figures:
    """(thresholds, C, 4) objects matched, predicted without a match and missed, and the sum of the
    IoU of those matched.

    void (H, W): pixels of no known class, which are left out of the union; of a predicted object
    more than half in them that matches none nothing is counted.
    """
    true_labels = truth.labels
    labels = predicted.labels
    both = (truth.ids > 0) & (predicted.ids > 0)
    ones = np.ones(int(both.sum()), np.int64)
    shape = (len(true_labels), len(labels))
    overlap = coo_array((ones, (truth.ids[both], predicted.ids[both])), shape).tocsr().tocoo()
    true_numbers, numbers = overlap.coords
    all_pixels = np.bincount(predicted.ids.ravel(), minlength=len(labels))
    in_void = np.bincount(predicted.ids[void], minlength=len(labels))
    true_pixels = np.bincount(truth.ids.ravel(), minlength=len(true_labels))
    union = true_pixels[true_numbers] + (all_pixels - in_void)[numbers] - overlap.data
    iou = overlap.data / union
    alike = true_labels[true_numbers] == labels[numbers]
    mostly_void = in_void > VOID_SHARE * all_pixels
    total = np.bincount(true_labels[1:], minlength=classes)
    rows = []
    for threshold in THRESHOLDS:
        matched = alike & (iou > threshold)
        hits = np.bincount(true_labels[true_numbers[matched]], minlength=classes)
        counted = ~mostly_void
        counted[numbers[matched]] = True
        counted[0] = False
        predictions = np.bincount(labels[counted], minlength=classes)
        sums = np.bincount(true_labels[true_numbers[matched]], iou[matched], minlength=classes)
        rows.append(np.stack([hits, predictions - hits, total - hits, sums], axis=1))
    return np.stack(rows).astype(np.float64)


def _figures(sums: Figures) -> Figures:
    """(6, ...) precision, recall, F1, PQ, SQ and RQ of sums (..., 4) as of `match_objects`."""
    hits, unmatched, missed, iou = np.moveaxis(sums, -1, 0)
    halved = hits + (unmatched + missed) / 2
    f1 = safe_divide(hits, halved)
    precision = safe_divide(hits, hits + unmatched)
    recall = safe_divide(hits, hits + missed)
    return np.stack([precision, recall, f1, safe_divide(iou, halved), safe_divide(iou, hits), f1])


@dataclass
class ObjectScores:
    """Sums over images of which every figure of objects follows; `instances` are the images whose
    truth tells objects of one class apart. split: whether predicted ones that touch were parted.
    """

    classes: int
    instances: int = 0
    split: bool = False
    _rows: list[Figures] = field(default_factory=list)

    def update(self, truth: ObjectMap, predicted: ObjectMap, void: Bits) -> None:
        """Count one image, as in `match_objects`."""
        self._rows.append(match_objects(truth, predicted, void, self.classes))

    def merge(self, other: "ObjectScores") -> None:
        """Add the images of `other` after those here."""
        self.instances += other.instances
        self._rows += other._rows

    @property
    def images(self) -> int:
        """How many were counted."""
        return len(self._rows)

    def _sums(self) -> Figures:
        """(images, thresholds, C, 4)."""
        return np.array(self._rows).reshape(-1, len(THRESHOLDS), self.classes, 4)

    def counts(self) -> NDArray[np.int64]:
        """(images, C, 2) true and predicted objects."""
        hits, unmatched, missed, _ = np.moveaxis(self._sums()[:, 0], -1, 0)
        return np.stack([hits + missed, hits + unmatched], axis=-1).astype(np.int64)

    def figures(self, names: Sequence[str]) -> list[tuple[float, list[ObjectFigures]]]:
        """Each threshold with the figures of the classes called `names`, pooled over the images'
        objects, and those of all: precision, recall and F1 over all objects, PQ, SQ and RQ as means
        over the classes that have any, as in the paper.
        """
        tables = []
        for threshold, sums in zip(THRESHOLDS, self._sums().sum(0), strict=True):
            by_class = _figures(sums)  # (6, C)
            pooled = _figures(sums.sum(0))[:3].tolist()
            means = [nan_mean(values) for values in by_class[3:]]
            rows = [ObjectFigures(name, *row) for name, row in zip(names, by_class.T, strict=True)]
            tables.append((threshold, [*rows, ObjectFigures(ALL, *pooled, *means)]))
        return tables

    def count_errors(self, names: Sequence[str]) -> list[CountError]:
        """How far the numbers are off by class, and in all; intervals by bootstrap over images."""
        counts = self.counts()  # (images, C, 2)
        columns = [*np.moveaxis(counts, 1, 0), counts.sum(1)]
        rows = []
        for name, column in zip((*names, ALL), columns, strict=True):
            true, predicted = column.sum(0).tolist()
            error = predicted / true - 1 if true else math.nan
            low, high = bootstrap_ratio(column[:, 1], column[:, 0])
            rows.append(CountError(name, true, predicted, error, low - 1, high - 1))
        return rows

    def describe(self) -> str:
        """What the figures are, as lines of text."""
        truth = "connected regions of a class in the masks"
        if self.instances:
            share = "" if self.instances == self.images else f" in {self.instances} images"
            truth = f"those that the annotations tell apart{share}"
        return (
            f"True objects are {truth}; predicted ones are connected regions. A pair matches where "
            "its IoU is above the threshold; PQ = SQ x RQ (Kirillov et al. 2019), for all classes "
            "the mean over them. The 95 % intervals of the numbers are by bootstrap over images."
        )

    def as_dict(self, names: Sequence[str], images: Sequence[str] = ()) -> dict[str, object]:
        """JSON values: the figures at each threshold and the numbers of objects, by class and in
        all, and the numbers in each of `images`.
        """
        figures = {
            f"{threshold:g}": {row.name: _json_row(row) for row in rows}
            for threshold, rows in self.figures(names)
        }
        by_image = zip(images, self.counts().swapaxes(1, 2).tolist(), strict=False)
        return {
            "images_with_instances": self.instances,
            "split_touching": self.split,
            "by_iou": figures,
            "counts": {row.name: _json_row(row) for row in self.count_errors(names)},
            "classes": list(names),
            "counts_by_image": [
                {"image": name, "true": true, "predicted": predicted}
                for name, (true, predicted) in by_image
            ],
        }


def _json_row(row: ObjectFigures | CountError) -> dict[str, float | None]:
    values = row._asdict()
    del values["name"]
    return {
        key: value if isinstance(value, int) else json_number(value)
        for key, value in values.items()
    }
