"""One row an epoch, on disk as history.csv."""

import csv
import io
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pixelwise.io.atomic import write_text


@dataclass(frozen=True)
class Epoch:
    """What one epoch showed: losses, scores as shares of 1, seconds and images/s of its training
    part.

    Figures have the six digits that the file has, so that a resumed run knows, compares and draws
    the same.
    """

    epoch: int
    train_loss: float
    train_pixel_accuracy: float
    train_mean_iou: float
    val_loss: float
    val_pixel_accuracy: float
    val_mean_iou: float
    learning_rate: float
    images_per_second: float
    seconds: float
    early: bool = False
    """Whether it is one of the first, which are kept only where there is no other."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, float):
                object.__setattr__(self, name, float(_text(value)))


def _text(value: float) -> str:
    return f"{value:.6g}"


def best_metric_key(row: Epoch) -> tuple[bool, float]:
    """What the best epoch has the most of: validation mean IoU. Early ones come after all others,
    as few validation images may like one by accident, and an epoch without any score last.
    """
    mean_iou = -1.0 if math.isnan(row.val_mean_iou) else row.val_mean_iou
    return not row.early, mean_iou


def write_history(path: Path, rows: list[Epoch]) -> None:
    """Write all rows, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Epoch)])
    writer.writerows(map(_text, asdict(row).values()) for row in rows)
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[Epoch]:
    """The rows that `write_history` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_parse_row(row) for row in csv.DictReader(file)]


def _parse_row(row: dict[str, str]) -> Epoch:
    values: dict[str, Any] = {name: float(text) for name, text in row.items()}
    values["epoch"] = int(row["epoch"])
    values["early"] = bool(values.get("early", 0.0))
    return Epoch(**values)
