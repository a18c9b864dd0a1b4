"""From pieces of logits to labels, confidence and scores: the one way, whatever they are written
to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, quantize_confidence, read_labels, softmax, top_labels
from pixelwise.inference.regions import (
    outside_largest_component,
    remove_small_regions,
    second_best_labels,
)
from pixelwise.inference.tta import Logits
from pixelwise.io.images import Array

Mask = NDArray[np.bool_]
# (h, W): float32 in [0, 1], or uint8 where 255 is sure
Confidence = NDArray[Any]


class Rows(Protocol):
    """Where finished rows go, from the top of a picture to its bottom."""

    def void(self, top: int, height: int) -> Mask | None:
        """Where rows from `top` on have no data, (height, W); None where all have."""

    def write_labels(self, top: int, labels: Array, confidence: Confidence | None) -> None:
        """Labels (h, W) uint8 of the rows from `top` on, and their confidence if it is kept."""

    def write_scores(self, top: int, scores: NDArray[np.float16], void: Mask | None) -> None:
        """Scores (C, h, W) of the rows from `top` on."""


@dataclass(frozen=True)
class LabelRules:
    """What changes labels once the network has given them."""

    largest: Sequence[int] = ()
    """Ids of classes of which the largest region alone stays."""

    smallest: int = 0
    """Regions of fewer pixels are joined to their neighbours."""

    threshold: float = 0.0
    """Pixels of less confidence become void, last of all."""


class LabelWriter:
    """Gathers pieces to rows of tiles, and hands these to `rows`.

    shape: (height, width) of the picture. classes: how many. row_height: of a row of tiles, which
    is what is held of the labels; all of them where `whole` or where they depend on each other.
    confidence: float32 or uint8, None to leave it out. scores: `probabilities`, `logits` or None.
    rules: what changes the labels.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        classes: int,
        rows: Rows,
        *,
        row_height: int | None = None,
        confidence: type[np.generic] | None = None,
        scores: str | None = None,
        rules: LabelRules | None = None,
    ) -> None:
        rules = rules or LabelRules()
        largest = rules.largest
        smallest = rules.smallest
        height, self._width = shape
        self._rows = rows
        self._largest = largest
        self._smallest = smallest
        self._score_kind = scores
        self._in_memory = row_height is None
        self._whole = row_height is None or smallest > 1 or bool(largest)
        shape_in_memory = (height if self._whole else row_height or height, self._width)
        self._labels = np.empty(shape_in_memory, np.uint8)
        self._confidence: Confidence | None = None
        if confidence is not None:
            self._confidence = np.empty(shape_in_memory, confidence)
        # what pixels outside the largest region of their class become, and how sure that is
        self._second_labels: Array | None = None
        self._second_confidence: Confidence | None = None
        if largest:
            self._second_labels = np.empty(shape_in_memory, np.uint8)
            if confidence is not None:
                self._second_confidence = np.empty(shape_in_memory, confidence)
        self._threshold = rules.threshold
        self._unsure: Mask | None = None
        self._second_unsure: Mask | None = None
        if rules.threshold > 0:
            self._unsure = np.zeros(shape_in_memory, np.bool_)
            if largest:
                self._second_unsure = np.zeros(shape_in_memory, np.bool_)
        self._scores: NDArray[np.float16] | None = None
        if scores:
            self._scores = np.empty((classes, row_height or height, self._width), np.float16)

    def add(self, top: int, left: int, logits: Logits) -> None:
        """The piece of logits (C, h, w) at (top, left)."""
        _, height, width = logits.shape
        columns = slice(left, left + width)
        first = top if self._whole else 0
        piece = (slice(first, first + height), columns)
        confidence = None
        if self._confidence is None and self._unsure is None:
            self._labels[piece] = top_labels(logits)
        else:
            self._labels[piece], confidence = read_labels(logits)
        if self._confidence is not None and confidence is not None:
            self._confidence[piece] = self._encode(confidence)
        if self._unsure is not None and confidence is not None:
            self._unsure[piece] = confidence < self._threshold
        # before the first valid tile there is one channel, of nothing
        if self._second_labels is not None and len(logits) > 1:
            self._second_labels[piece], ratio = second_best_labels(logits, self._largest)
            if self._second_confidence is not None and confidence is not None:
                self._second_confidence[piece] = self._encode(confidence * ratio)
            if self._second_unsure is not None and confidence is not None:
                self._second_unsure[piece] = confidence * ratio < self._threshold
        if self._scores is not None:
            first = top if self._in_memory else 0
            scores = logits if self._score_kind == "logits" else softmax(logits)
            self._scores[:, first : first + height, columns] = scores
        if left + width == self._width:
            self._end_row(top, height)

    def finish(self) -> None:
        """What can be done only when all rows are complete."""
        if not self._whole:
            return
        if self._second_labels is not None:
            outside = outside_largest_component(self._labels, self._largest)
            self._labels[outside] = self._second_labels[outside]
            if self._confidence is not None and self._second_confidence is not None:
                self._confidence[outside] = self._second_confidence[outside]
            if self._unsure is not None and self._second_unsure is not None:
                self._unsure[outside] = self._second_unsure[outside]
        labels = remove_small_regions(self._labels, self._smallest)
        if self._unsure is not None:
            labels[self._unsure] = VOID
        self._rows.write_labels(0, labels, self._confidence)
        if self._in_memory and self._scores is not None:
            self._rows.write_scores(0, self._scores, None)

    def _encode(self, confidence: NDArray[np.float32]) -> Confidence:
        if self._confidence is not None and self._confidence.dtype == np.uint8:
            return quantize_confidence(confidence)
        return confidence

    def _clear(self, rows: slice, void: Mask) -> None:
        """Pixels without data have no label, and a confidence of 0."""
        self._labels[rows][void] = VOID
        if self._confidence is not None:
            self._confidence[rows][void] = 0

    def _end_row(self, top: int, height: int) -> None:
        """A row of tiles is complete."""
        void = self._rows.void(top, height)
        first = top if self._whole else 0
        rows = slice(first, first + height)
        if void is not None:
            self._clear(rows, void)
        if not self._whole:
            # copies, as the next row of tiles takes their place
            confidence = None if self._confidence is None else self._confidence[rows].copy()
            labels = self._labels[rows].copy()
            if self._unsure is not None:
                labels[self._unsure[rows]] = VOID
            self._rows.write_labels(top, labels, confidence)
        if not self._in_memory and self._scores is not None:
            self._rows.write_scores(top, self._scores[:, :height], void)


class MemoryRows:
    """Keeps the rows of a picture that has data where it is `valid` (H, W), everywhere if None."""

    labels: Array
    confidence: NDArray[np.float32]
    scores: NDArray[np.float16] | None = None

    def __init__(self, valid: Mask | None = None) -> None:
        self._void = None if valid is None or valid.all() else ~valid

    def void(self, top: int, height: int) -> Mask | None:
        """Where rows have no data; None where all have."""
        return None if self._void is None else self._void[top : top + height]

    def write_labels(self, top: int, labels: Array, confidence: Confidence | None) -> None:
        """All rows at once."""
        self.labels = labels
        self.confidence = np.asarray(confidence, np.float32)

    def write_scores(self, top: int, scores: NDArray[np.float16], void: Mask | None) -> None:
        """All rows at once."""
        self.scores = scores
