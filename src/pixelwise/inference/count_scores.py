"""How far numbers of objects may be from the truth, by what `evaluate --objects` wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.errors import ConfigError
from pixelwise.metrics.count_interval import FEWEST_IMAGES, CountInterval


def read_count_intervals(path: Path, *, split: bool) -> dict[str, CountInterval]:
    """By class, from a JSON file; of classes that were never predicted nothing is known.

    Raises ConfigError for another file, for one of fewer than FEWEST_IMAGES images, and for one
    whose objects were parted where those here are not (`split`), or the reverse.
    """
    try:
        raw: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["objects"]
        rows = [(row["true"], row["predicted"]) for row in raw["counts_by_image"]]
        counts = np.array(rows, np.int64).reshape(len(rows), 2, len(raw["classes"]))
        was_split = bool(raw["split_touching"])
    except OSError as error:
        raise ConfigError(f"object scores {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"object scores {path}: holds no numbers of objects by image; write it with "
            "`pixelwise evaluate MODEL DATA --objects --json FILE`"
        ) from error
    if len(rows) < FEWEST_IMAGES:
        raise ConfigError(
            f"object scores {path}: {len(rows)} images are too few for an interval; score "
            f"{FEWEST_IMAGES} or more, or leave it out"
        )
    if was_split != split:
        own = "with --split-touching" if was_split else "without --split-touching"
        raise ConfigError(f"object scores {path}: were counted {own}; do so here too")
    intervals = {
        name: CountInterval(*counts[:, :, label].T) for label, name in enumerate(raw["classes"])
    }
    return {name: own for name, own in intervals.items() if own.predicted.any()}
