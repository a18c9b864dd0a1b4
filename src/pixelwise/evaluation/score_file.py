"""Files of `evaluate --json` as what `compare` needs."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pixelwise.datasets.types import first
from pixelwise.errors import DataError
from pixelwise.evaluation.comparison import Counted
from pixelwise.evaluation.result import PER_IMAGE
from pixelwise.metrics.confusion import Counts


def read_scores(files: Sequence[Path]) -> Counted:
    """The counts of all files. Raises DataError for one that lacks them, or when classes, images or
    truth differ.
    """
    read = [_parsed(path) for path in files]
    classes, split, rows = read[0]
    images = tuple(sorted(rows))
    for path, (names, where, others) in zip(files, read, strict=True):
        both = f"{files[0]} and {path}"
        if names != classes:
            raise DataError(f"{both} score different classes: give the models and --data instead")
        if where != split:
            raise DataError(
                f"{both} score different splits, {split} and {where}: evaluate both on one"
            )
        if odd := rows.keys() ^ others.keys():
            raise DataError(
                f"{both} score different images ({first(sorted(odd))}): evaluate both on one split"
            )
        if odd := {name for name in images if (rows[name][1] != others[name][1]).any()}:
            raise DataError(
                f"{both} differ in the truth of {first(sorted(odd))}: evaluate both on the "
                "same masks"
            )
    return (
        classes,
        split,
        images,
        np.array([[others[name] for name in images] for _, _, others in read]),
    )


def _parsed(path: Path) -> tuple[tuple[str, ...], str, dict[str, Counts]]:
    """Classes, split and by image the counts (3, C) of one file."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        by_image = {
            row["image"]: np.array([row[key] for key in PER_IMAGE], np.int64)
            for row in raw["mean_iou_by_image"]
        }
        if not by_image or any(
            counts.shape != (3, len(raw["classes"])) for counts in by_image.values()
        ):
            raise ValueError("not three numbers a class")
        return tuple(raw["classes"]), str(raw["split"]), by_image
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror or error}; give a file of evaluate --json"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: does not hold the counts of every image ({type(error).__name__}: "
            f"{error}); write it anew with "
            "evaluate --json, or give the models and --data"
        ) from error
