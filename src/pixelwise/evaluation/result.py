"""What an evaluation found, as figures and as JSON."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.classes import VOID, Classes, read_labels
from pixelwise.datasets.types import Pair
from pixelwise.errors import ImageError
from pixelwise.inference.predictor import Result
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array
from pixelwise.metrics.bootstrap import PerImage
from pixelwise.metrics.boundary import BoundaryScores
from pixelwise.metrics.calibration import Reliability
from pixelwise.metrics.confusion import ConfusionMatrix, Counts, Scores
from pixelwise.metrics.error_analysis import BySize, NearBorders

PER_IMAGE = ("right", "true", "predicted")
"""Pixels by class that the JSON file holds of each image, for `compare`."""
BAND = 256
"""Rows whose logits are read again at once."""


@dataclass(frozen=True)
class Measures:
    """Sums over images from which every figure follows. Of an image itself only three numbers a
    class are kept.

    `calibrated` is the reliability of the confidence at `temperature`, where one was given.
    """

    confusion: ConfusionMatrix
    images: PerImage
    boundary: BoundaryScores
    near: NearBorders = field(default_factory=NearBorders)
    sizes: BySize = field(default_factory=BySize)
    reliability: Reliability = field(default_factory=Reliability)
    temperature: float | None = None
    calibrated: Reliability = field(default_factory=Reliability)

    @classmethod
    def of(cls, classes: int, temperature: float | None = None) -> "Measures":
        """Of no image yet."""
        parts = ConfusionMatrix(classes), PerImage(classes), BoundaryScores(classes)
        return cls(*parts, temperature=temperature)

    def add(self, truth: Array, labels: Array, found: Result) -> None:
        """Count one image: true and predicted ids (H, W) of the shared classes, and what the model
        gave.
        """
        self.images.add(self.confusion.update(torch.from_numpy(truth), torch.from_numpy(labels)))
        for part in (self.boundary, self.near, self.sizes):
            part.update(truth, labels)
        counted = truth != VOID
        right = (truth == labels)[counted]
        self.reliability.update(found.confidence[counted], right)
        if self.temperature is not None:
            confidence = _confidence(found.scores["logits"], self.temperature)
            self.calibrated.update(confidence[counted], right)

    def join(self, other: "Measures") -> None:
        """Count the images of `other` too, after those counted so far: the same figures as if they
        had been added.
        """
        self.images.join(other.images)
        for name in ("confusion", "boundary", "near", "sizes", "reliability", "calibrated"):
            mine = vars(getattr(self, name))
            theirs = vars(getattr(other, name))
            mine |= {key: mine[key] + theirs[key] for key in getattr(self, name).SUMS}

    def as_dict(self, names: tuple[str, ...]) -> dict[str, object]:
        """JSON values of all but the confusion matrix and the images."""
        return {
            **self.boundary.as_dict(names),
            "errors_near_borders": self.near.rows(),
            "regions_by_size": self.sizes.rows(),
            "calibration": self.reliability.as_dict(),
            "temperature": self.temperature,
            "calibration_at_temperature": None
            if self.temperature is None
            else self.calibrated.as_dict(),
        }


@dataclass(frozen=True)
class Shared:
    """The classes that model and data set have by the same name, and how each side's ids become ids
    of these.
    """

    classes: Classes
    from_data: Array
    from_model: Array
    notes: tuple[str, ...]

    def truth(
        self, read_labels: Callable[[Path], Array], pair: Pair, size: tuple[int, ...]
    ) -> Array:
        """True ids (H, W) of a pair in the shared classes. Raises ImageError where they are not of
        the image's size.
        """
        truth = self.from_data[read_labels(pair.mask)]
        if truth.shape != size:
            raise ImageError(
                f"{pair.image}: {size} pixels, but its mask has {truth.shape} (height, width)"
            )
        return truth


@dataclass(frozen=True)
class Evaluation:
    """Scores over the classes that model and data set share, and what was evaluated."""

    scores: Scores
    shared: Shared
    split: str
    measures: Measures
    mean_iou_interval: tuple[float, float] = (float("nan"), float("nan"))
    iou_intervals: tuple[tuple[float, float], ...] = ()
    by_image: tuple[tuple[str, float], ...] = ()
    counts: Mapping[str, Counts] = field(default_factory=dict)

    @property
    def classes(self) -> Classes:
        """Those that model and data set have by the same name."""
        return self.shared.classes

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, and why."""
        return self.shared.notes

    def as_dict(self) -> dict[str, object]:
        """JSON values: Scores, Measures, 95 % intervals, each image's mean IoU (worst first), split
        and notes.
        """
        bounds = zip(self.classes.names, self.iou_intervals, strict=False)
        return {
            **self.scores.as_dict(self.classes.names),
            **self.measures.as_dict(self.classes.names),
            "mean_iou_95": _numbers(self.mean_iou_interval),
            "iou_95": {name: _numbers(pair) for name, pair in bounds},
            "mean_iou_by_image": [
                {
                    "image": name,
                    "mean_iou": _numbers((value,)),
                    **dict(zip(PER_IMAGE, counts, strict=True)),
                }
                for name, value in self.by_image
                for counts in [self.counts[name].tolist()]
            ],
            "split": self.split,
            "notes": list(self.notes),
        }

    def write_json(self, path: Path) -> None:
        """Write `as_dict` as a JSON file, each list of whole numbers on one line."""
        text = json.dumps(self.as_dict(), indent=2)
        write_text(
            path, re.sub(r"\[[\s\d,]+\]", lambda found: "".join(found[0].split()), text) + "\n"
        )


def _confidence(logits: NDArray[np.float16], temperature: float) -> NDArray[np.float32]:
    """(H, W) of logits (C, H, W) divided by `temperature`."""
    bands = (
        logits[:, top : top + BAND].astype(np.float32) for top in range(0, logits.shape[1], BAND)
    )
    return np.concatenate([read_labels(band / np.float32(temperature))[1] for band in bands])


def _numbers(values: tuple[float, ...]) -> list[float | None] | float | None:
    """Rounded for JSON, null for NaN; a single figure stands alone."""
    rounded = [None if math.isnan(value) else round(value, 6) for value in values]
    return rounded if len(rounded) > 1 else rounded[0]
