from typing import Any

import numpy as np
import pytest

from pixelwise.classes import VOID, read_labels, softmax
from pixelwise.inference.label_writer import LabelRules, LabelWriter, MemoryRows
from pixelwise.inference.regions import outside_largest_component

CLASSES = 3
SHAPE = (37, 50)


class Collected:
    """Rows as they come, with a column that has no data."""

    def __init__(self) -> None:
        self.labels = list[np.ndarray]()
        self.confidence = list[np.ndarray]()
        self.scores = list[np.ndarray]()

    def void(self, top: int, height: int) -> np.ndarray:
        void = np.zeros((height, SHAPE[1]), bool)
        void[:, 7] = True
        return void

    def write_labels(self, top: int, labels: np.ndarray, confidence: np.ndarray | None) -> None:
        assert top == sum(map(len, self.labels))
        self.labels.append(labels)
        if confidence is not None:
            self.confidence.append(confidence)

    def write_scores(self, top: int, scores: np.ndarray, void: np.ndarray | None) -> None:
        self.scores.append(scores.copy())


@pytest.fixture
def logits() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(CLASSES, *SHAPE)).astype(np.float32)


def write(writer: LabelWriter, logits: np.ndarray, row: int = 10, column: int = 20) -> None:
    for top in range(0, SHAPE[0], row):
        for left in range(0, SHAPE[1], column):
            writer.add(top, left, logits[:, top : top + row, left : left + column])
    writer.finish()


@pytest.mark.parametrize(
    "options",
    [{}, {"largest": [1]}, {"smallest": 4}, {"threshold": 0.5}, {"threshold": 0.5, "largest": [1]}],
)
def test_rows_of_a_file_are_those_of_memory_but_for_what_has_no_data(
    options: dict[str, Any], logits: np.ndarray
) -> None:
    if "smallest" in options:
        pytest.importorskip("rasterio", reason="the extra raster is not installed")
    memory = MemoryRows()
    filed = Collected()
    write(
        LabelWriter(
            SHAPE,
            CLASSES,
            memory,
            confidence=np.float32,
            scores="logits",
            rules=LabelRules(**options),
        ),
        logits,
    )
    write(
        LabelWriter(
            SHAPE,
            CLASSES,
            filed,
            row_height=10,
            confidence=np.uint8,
            scores="logits",
            rules=LabelRules(**options),
        ),
        logits,
    )
    labels = np.concatenate(filed.labels)
    assert (labels[:, 7] == VOID).all()
    assert (np.concatenate(filed.confidence)[:, 7] == 0).all()
    depends_on_far = bool({"largest", "smallest"} & options.keys())
    if not depends_on_far:  # of regions, what has no data changes those around it
        valid = np.arange(SHAPE[1]) != 7
        assert np.array_equal(labels[:, valid], memory.labels[:, valid])
        percent = np.rint(memory.confidence * 255)
        assert np.array_equal(np.concatenate(filed.confidence)[:, valid], percent[:, valid])
    assert len(filed.labels) == (1 if depends_on_far else 4)
    assert memory.scores is not None
    assert np.array_equal(np.concatenate(filed.scores, axis=1), memory.scores)


def test_labels_confidence_and_probabilities_are_those_of_the_logits(logits: np.ndarray) -> None:
    rows = MemoryRows()
    scores = "probabilities"
    write(LabelWriter(SHAPE, CLASSES, rows, confidence=np.float32, scores=scores), logits)
    labels, confidence = read_labels(logits)
    assert np.array_equal(rows.labels, labels)
    assert np.array_equal(rows.confidence, confidence)
    assert rows.scores is not None
    assert np.array_equal(rows.scores, softmax(logits).astype(np.float16))


def test_outside_the_largest_region_the_next_best_label_stands(logits: np.ndarray) -> None:
    rows = MemoryRows()
    write(
        LabelWriter(SHAPE, CLASSES, rows, confidence=np.float32, rules=LabelRules(largest=[2])),
        logits,
    )
    labels, confidence = read_labels(logits)
    outside = outside_largest_component(labels, [2])
    assert outside.any()
    assert np.array_equal(rows.labels[~outside], labels[~outside])
    assert np.array_equal(rows.labels[outside], logits[:2].argmax(0)[outside])
    assert (rows.confidence[outside] <= confidence[outside]).all()


def test_pixels_below_the_threshold_become_void_after_all_else(logits: np.ndarray) -> None:
    labels, confidence = read_labels(logits)
    unsure = confidence < 0.6
    assert 0.1 < unsure.mean() < 0.9
    rows = MemoryRows()
    writer = LabelWriter(
        SHAPE, CLASSES, rows, confidence=np.float32, rules=LabelRules(threshold=0.6)
    )
    write(writer, logits)
    np.testing.assert_array_equal(rows.labels, np.where(unsure, VOID, labels))
    np.testing.assert_array_equal(rows.confidence, confidence)
    # without confidence being kept too, and where the next label is less sure than the first
    filed = Collected()
    write(
        LabelWriter(SHAPE, CLASSES, filed, row_height=10, rules=LabelRules(threshold=0.6)), logits
    )
    valid = np.arange(SHAPE[1]) != 7
    np.testing.assert_array_equal(np.concatenate(filed.labels)[:, valid], rows.labels[:, valid])
    largest = MemoryRows()
    rules = LabelRules(largest=[2], threshold=0.6)
    write(LabelWriter(SHAPE, CLASSES, largest, confidence=np.float32, rules=rules), logits)
    np.testing.assert_array_equal(largest.labels == VOID, largest.confidence < 0.6)
