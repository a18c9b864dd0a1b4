"""`next`: which photos of a folder to label next for a model, without the page."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError, ImageError
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.sources import find_images
from pixelwise.io.atomic import write_text
from pixelwise.labelling.features import STRIDES, FeatureExtractor
from pixelwise.labelling.next_photo import Candidate, Doubt, rank_photos
from pixelwise.labelling.photo_features import working_level
from pixelwise.labelling.photos import Photo, name_photos, read_photo
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

COLUMNS = ("rank", "image", "score", "uncertainty", "novelty", "reason")
# Rows and columns of a photo at which its confidence is read.
_GRID = 64


@dataclass(frozen=True)
class Ranking:
    """Photos to label, the most useful first, and those that could not be read."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write COLUMNS of all photos as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(self.rows())
        write_text(path, text.getvalue())

    def rows(self) -> list[tuple[object, ...]]:
        """COLUMNS of each photo."""
        return [
            (
                rank,
                row.name,
                f"{row.score:.3f}",
                f"{row.uncertainty:.3f}",
                f"{row.novelty:.3f}",
                row.reason,
            )
            for rank, row in enumerate(self.candidates, 1)
        ]


def rank_folder(
    photos: Sequence[Path],
    model: Path,
    *,
    labelled: Path | None = None,
    progress: Progress | None = None,
) -> Ranking:
    """Rank photos (files, folders or patterns) by what a label there would teach the model.

    labelled: a data set whose images are labelled already: they are not listed, and photos like
    them count less. Raises DataError where no photo can be read.
    """
    progress = progress or default_progress()
    predictor = load(model, progress=progress)
    extractor = FeatureExtractor()
    paths = name_photos(find_images(photos))
    done = _labelled_paths(labelled)
    means: dict[str, NDArray[np.float32]] = {}
    doubts: dict[str, Doubt] = {}
    left_out = []
    known = [f"\0{number}" for number in range(len(done))]  # names that no file has
    everything = list(paths.items()) + list(zip(known, done, strict=True))
    skipped = {path.resolve() for path in done}
    for name, path in progress.track(everything, what="looking at photos", total=len(everything)):
        if name not in known and path.resolve() in skipped:
            continue
        try:
            photo = read_photo(path)
        except ImageError as error:
            left_out.append(str(error))
            continue
        means[name] = _mean_features(extractor, photo)
        if name not in known:
            doubts[name] = _doubt(predictor, photo)
    if not doubts:
        reason = f": {left_out[0]}" if left_out else ": all of them are labelled"
        raise DataError(f"there is no photo to rank{reason}")
    return Ranking(tuple(rank_photos(means, doubts, known)), tuple(left_out))


def _labelled_paths(labelled: Path | None) -> list[Path]:
    if labelled is None:
        return []
    dataset = open_dataset(labelled, DataOptions(hold_out=False, skip_unpaired=True))
    return [pair.image for pair in dataset.pairs("all")]


def _mean_features(extractor: FeatureExtractor, photo: Photo) -> NDArray[np.float32]:
    level = min(len(photo.levels) - 1, max(1, working_level(photo.size)))
    coarse = extractor.extract(photo.levels[level])[STRIDES[-1]].astype(np.float32)
    mean: NDArray[np.float32] = coarse.mean(axis=(1, 2))
    return mean


def _doubt(predictor: Predictor, photo: Photo) -> Doubt:
    """The model's doubt at the places of a grid; between which classes is read of its
    probabilities.
    """
    seen = photo.seen_by(predictor, working_level(photo.size))
    result = predictor.predict(seen, scores="probabilities")
    probabilities = result.scores["probabilities"]  # (C, H, W)
    _, height, width = probabilities.shape
    rows = np.linspace(0, height - 1, min(_GRID, height)).astype(int)
    columns = np.linspace(0, width - 1, min(_GRID, width)).astype(int)
    values = probabilities[:, rows][:, :, columns].reshape(len(probabilities), -1).T
    logits = np.log(np.maximum(values.astype(np.float32), 1e-7))
    return Doubt.of(logits, result.classes)
