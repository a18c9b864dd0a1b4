"""Files of `evaluate --json` as what `compare` needs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.datasets.types import first
from pixelwise.errors import DataError
from pixelwise.evaluation.comparison import ImageCounts
from pixelwise.evaluation.result import PER_IMAGE
from pixelwise.metrics.confusion import Counts

_TRUE = PER_IMAGE.index("true")


@dataclass(frozen=True)
class _ScoreFile:
    """One file; counts (3, C) by image."""

    path: Path
    classes: tuple[str, ...]
    split: str
    counts: dict[str, Counts]


def read_scores(paths: Sequence[Path]) -> ImageCounts:
    """The counts of all files. Raises DataError for one that lacks them, or when classes, images or
    truth differ.
    """
    files = [_read_score_file(path) for path in paths]
    reference = files[0]
    images = tuple(sorted(reference.counts))
    for file in files:
        _check_comparable(reference, file)
    counts = np.array([[file.counts[name] for name in images] for file in files])
    return ImageCounts(reference.classes, reference.split, images, counts)


def _check_comparable(reference: _ScoreFile, file: _ScoreFile) -> None:
    pair = f"{reference.path} and {file.path}"
    if file.classes != reference.classes:
        raise DataError(f"{pair} score different classes: give the models and --data instead")
    if file.split != reference.split:
        raise DataError(
            f"{pair} score different splits, {reference.split} and {file.split}: "
            "evaluate both on one"
        )
    in_one_only = reference.counts.keys() ^ file.counts.keys()
    if in_one_only:
        raise DataError(
            f"{pair} score different images ({first(sorted(in_one_only))}): "
            "evaluate both on one split"
        )
    relabelled = [
        name
        for name, counts in reference.counts.items()
        if (counts[_TRUE] != file.counts[name][_TRUE]).any()
    ]
    if relabelled:
        raise DataError(
            f"{pair} differ in the truth of {first(sorted(relabelled))}: "
            "evaluate both on the same masks"
        )


def _read_score_file(path: Path) -> _ScoreFile:
    try:
        return _parse_score_file(path, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror or error}; give a file of evaluate --json"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: does not hold the counts of every image ({type(error).__name__}: {error}); "
            "write it again with evaluate --json, or give the models and --data"
        ) from error


def _parse_score_file(path: Path, raw: dict[str, Any]) -> _ScoreFile:
    counts = {
        row["image"]: np.array([row[key] for key in PER_IMAGE], np.int64)
        for row in raw["mean_iou_by_image"]
    }
    # files of earlier versions hold each image's mean IoU alone
    shape = (len(PER_IMAGE), len(raw["classes"]))
    if not counts or any(values.shape != shape for values in counts.values()):
        raise ValueError("not three numbers a class")
    return _ScoreFile(path, tuple(raw["classes"]), str(raw["split"]), counts)
