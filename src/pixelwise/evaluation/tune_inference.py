"""Which sizes of the image are worth averaging over, and whether its mirror is: all settings, tried
in one pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.classes import read_labels
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import DataError
from pixelwise.evaluation.calibrate import evenly_spaced
from pixelwise.evaluation.class_match import ClassMatch
from pixelwise.evaluation.data_options import drop_broken_pairs, training_data_options
from pixelwise.evaluation.scoring import log_class_match
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.resize import mirror_picture
from pixelwise.io.images import Array, Picture
from pixelwise.metrics.bootstrap import Difference, PerImage, paired_bootstrap, scores_from_counts
from pixelwise.metrics.confusion import ConfusionMatrix, Counts
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

SCALES = (0.5, 0.75, 1.0, 1.25, 1.5)

# At most so many scales are averaged.
MAX_SCALES = 3

# Bytes that the logits of an image at all scales may take; one that needs more is left out.
MAX_LOGITS_BYTES = 2 << 30

# What a slower setting must add to the mean IoU of all faster ones to be named.
MIN_GAIN = 0.001

# Scales, and whether the mirrored image is averaged in.
_Setting = tuple[tuple[float, ...], bool]
_PLAIN: _Setting = ((1.0,), False)


@dataclass(frozen=True)
class InferenceSetting:
    """Options of `predict`; the mean IoU with them, pooled over the images, and how far it is from
    that without any.
    """

    scales: tuple[float, ...]
    tta: bool
    mean_iou: float
    gain: Difference

    @property
    def work(self) -> float:
        """The pixels that the network sees, relative to those at the model's own size alone."""
        return _relative_work(self.scales, self.tta)

    @property
    def options(self) -> str:
        """As the command line takes them; empty for none."""
        words = ["--tta"] if self.tta else []
        if self.scales != (1.0,):
            words += [f"--scale {scale:g}" for scale in self.scales]
        return " ".join(words)


def tune_inference(
    model: Predictor,
    data: str | Path,
    *,
    split: str = "val",
    options: DataOptions | None = None,
    progress: Progress | None = None,
) -> list[InferenceSetting]:
    """Of all averages over up to MAX_SCALES of SCALES, mirrored too or not, those that score better
    than every faster one, by their work; no options, the model's own size alone, are always among
    them.

    All are tried on the images of `split` of the folder `data`, or on some of them, evenly spaced,
    where there are many. Each image is labelled once at each size, plain and mirrored; averages are
    of those logits, kept in 16 bits. What is chosen so should be scored on other images. Raises
    ModelError where no class is shared, DataError where there is nothing to score.
    """
    progress = progress or default_progress()
    options = options or training_data_options(model)
    dataset = drop_broken_pairs(open_dataset(data, options), split, options, progress)
    pairs = evenly_spaced(dataset.pairs(split))
    classes = log_class_match(model.classes, dataset, pairs, split, progress)
    settings = _list_settings()
    counts = _count_pixels(model, dataset, pairs, classes, settings, split, progress)
    if not counts.sum():
        raise DataError(
            f"no pixel of {split} can be scored: they are void, or their images too large"
        )
    return list(_select_worthwhile(settings, counts))


def _count_pixels(
    model: Predictor,
    dataset: DataSet,
    pairs: Sequence[Pair],
    classes: ClassMatch,
    settings: Sequence[_Setting],
    split: str,
    progress: Progress,
) -> Counts:
    """By setting and image, as PerImage counts, (M, N, 3, C)."""
    size = len(classes.classes)
    per_setting = [PerImage(size) for _ in settings]
    what = f"trying {len(settings)} settings on {split}"
    for pair in progress.track(pairs, what=what, total=len(pairs)):
        picture = model.read(pair.image)
        rgb = picture.rgb
        if _logits_bytes(model, rgb) > MAX_LOGITS_BYTES:
            progress.log(
                f"{pair.name}: left out, as its logits at all sizes do not fit "
                f"{MAX_LOGITS_BYTES >> 30} GiB"
            )
            continue
        truth = classes.truth(dataset.read_labels, pair, rgb.shape[:2], picture.valid)
        predictions = _predict_with_each(model, picture, classes, settings)
        for per_image, labels in zip(per_setting, predictions, strict=True):
            matrix = ConfusionMatrix(size)
            counts = matrix.update(torch.from_numpy(truth), torch.from_numpy(labels))
            per_image.add(counts)
    return np.stack([per_image.counts() for per_image in per_setting])


def _logits_bytes(model: Predictor, rgb: Array) -> int:
    """Of two versions, plain and mirrored, at each scale, in 16 bits."""
    pixels: int = rgb[..., 0].size
    return 2 * 2 * len(SCALES) * len(model.classes) * pixels


def _list_settings() -> list[_Setting]:
    return [
        (scales, tta)
        for count in range(1, MAX_SCALES + 1)
        for scales in combinations(SCALES, count)
        for tta in (False, True)
    ]


def _predict_with_each(
    model: Predictor,
    picture: Picture,
    classes: ClassMatch,
    settings: Sequence[_Setting],
) -> Iterator[Array]:
    """Labels (H, W) of one image by each setting, in the shared classes."""
    # Each version is computed once and shared by all settings that average it.
    logits = {}
    for scale, mirrored in product(SCALES, (False, True)):
        logits[scale, mirrored] = _predict_logits(model, picture, scale, mirrored=mirrored)
    for scales, tta in settings:
        mirrors = (False, True) if tta else (False,)
        parts = [logits[key] for key in product(scales, mirrors)]
        total: NDArray[np.float32] = np.sum(parts, axis=0, dtype=np.float32)  # (C, H, W)
        labels, _ = read_labels(total)
        yield classes.from_model[labels]


def _predict_logits(
    model: Predictor,
    picture: Picture,
    scale: float,
    *,
    mirrored: bool,
) -> NDArray[np.float16]:
    """(C, H, W)."""
    if mirrored:
        picture = mirror_picture(picture)
    prediction = model.predict(picture, scales=(scale,), scores="logits")
    logits = prediction.scores["logits"]
    return logits[..., ::-1] if mirrored else logits


def _select_worthwhile(settings: Sequence[_Setting], counts: Counts) -> Iterator[InferenceSetting]:
    """Those that add MIN_GAIN to what every faster one has, and the plain one."""
    means = scores_from_counts(counts.sum(1))[:, 0].tolist()
    plain = settings.index(_PLAIN)
    best = -1.0

    def rank(index: int) -> tuple[float, float]:
        # Of settings that cost the same the best comes first, or a worse one would be named too.
        return _relative_work(*settings[index]), -means[index]

    for index in sorted(range(len(settings)), key=rank):
        if index == plain or means[index] >= best + MIN_GAIN:
            best = max(best, means[index])
            scales, tta = settings[index]
            gain, _ = paired_bootstrap(counts[[index, plain]])
            yield InferenceSetting(scales, tta, means[index], gain)


def _relative_work(scales: tuple[float, ...], tta: bool) -> float:
    passes = 2 if tta else 1
    return sum(scale**2 for scale in scales) * passes
