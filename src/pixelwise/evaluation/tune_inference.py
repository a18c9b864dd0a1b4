"""Which sizes of the image are worth averaging over, and whether its mirror is: all ways, tried in
one pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.classes import read_labels
from pixelwise.datasets.registry import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError
from pixelwise.evaluation.calibrate import spread
from pixelwise.evaluation.data_options import as_trained, readable
from pixelwise.evaluation.result import Shared
from pixelwise.evaluation.scoring import announced
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import Array, read_rgb
from pixelwise.metrics.bootstrap import Difference, PerImage, paired_bootstrap, scores_from_counts
from pixelwise.metrics.confusion import ConfusionMatrix, Counts
from pixelwise.progress import Progress

SIZES = (0.5, 0.75, 1.0, 1.25, 1.5)
TOGETHER = 3
"""At most so many sizes are averaged."""

HELD = 2 << 30
"""Bytes that the logits of an image at all sizes may take; one that needs more is left out."""

STEP = 0.001
"""What a dearer way must add to the mean IoU of all cheaper ones to be named."""


@dataclass(frozen=True)
class Way:
    """Options of `predict`; the mean IoU with them, pooled over the images, and how far it is from
    that without any.
    """

    scales: tuple[float, ...]
    tta: bool
    mean_iou: float
    beside: Difference

    @property
    def work(self) -> float:
        """The pixels that the network sees, beside those at the model's own size alone."""
        return _work(self.scales, self.tta)

    @property
    def options(self) -> str:
        """As the command line takes them; empty for none."""
        plain = self.scales == (1.0,)
        return " ".join(
            ["--tta"] * self.tta + [f"--scale {scale:g}" for scale in self.scales if not plain]
        )


def find_ways(
    model: Predictor,
    data: str | Path,
    *,
    split: str = "val",
    options: DataOptions | None = None,
    progress: Progress | None = None,
) -> list[Way]:
    """Of all averages over up to TOGETHER of SIZES, mirrored too or not, those that score better
    than every cheaper one, by their work; no options, the model's own size alone, are always among
    them.

    All are tried on the images of `split` of the folder `data`, or on some of them, evenly spaced,
    where there are many. Each image is labelled once at each size, plain and mirrored; averages are
    of those logits, kept in 16 bits. What is chosen so should be scored on other images. Raises
    ModelError where no class is shared, DataError where there is nothing to score.
    """
    progress = progress or Progress()
    options = options or as_trained(model)
    dataset = readable(open_dataset(data, options), split, options, progress)
    pairs = spread(dataset.pairs(split))
    shared = announced(model.classes, dataset, pairs, split, progress)
    asked = [
        (part, tta)
        for size in range(1, TOGETHER + 1)
        for part in combinations(SIZES, size)
        for tta in (0, 1)
    ]
    images = [PerImage(len(shared.classes)) for _ in asked]
    for pair in progress.track(
        pairs, what=f"trying {len(asked)} ways on {split}", total=len(pairs)
    ):
        rgb = read_rgb(pair.image)
        if 4 * len(SIZES) * len(model.classes) * rgb[..., 0].size > HELD:
            progress.log(
                f"{pair.name}: left out, as its logits at all sizes do not fit {HELD >> 30} GiB"
            )
            continue
        truth = torch.from_numpy(shared.truth(dataset.read_labels, pair, rgb.shape[:2]))
        for found, labels in zip(images, _labels(model, rgb, shared, asked), strict=True):
            found.add(ConfusionMatrix(len(shared.classes)).update(truth, torch.from_numpy(labels)))
    counts = np.stack([each.counts() for each in images])  # (M, N, 3, C)
    if not counts.sum():
        raise DataError(
            f"no pixel of {split} can be scored: they are void, or their images too large"
        )
    return list(_worthwhile(asked, counts))


def _labels(
    model: Predictor, rgb: Array, shared: Shared, asked: Sequence[tuple[tuple[float, ...], int]]
) -> Iterator[Array]:
    """Labels (H, W) of one image by each way asked for, in the shared classes."""
    logits = {
        (scale, mirrored): _logits(model, rgb, scale, mirrored=bool(mirrored))
        for scale, mirrored in product(SIZES, (0, 1))
    }
    for scales, tta in asked:
        parts = [logits[key] for key in product(scales, range(1 + tta))]
        yield shared.from_model[read_labels(np.sum(parts, axis=0, dtype=np.float32))[0]]


def _logits(model: Predictor, rgb: Array, scale: float, *, mirrored: bool) -> NDArray[np.float16]:
    """(C, H, W)."""
    turned = np.ascontiguousarray(rgb[:, ::-1]) if mirrored else rgb
    found = model.predict(turned, scales=(scale,), scores="logits").scores["logits"]
    return found[..., ::-1] if mirrored else found


def _worthwhile(asked: Sequence[tuple[tuple[float, ...], int]], counts: Counts) -> Iterator[Way]:
    """Those that add STEP to what every cheaper one has, and the plain one."""
    means = scores_from_counts(counts.sum(1))[:, 0].tolist()
    plain = asked.index(((1.0,), 0))
    best = -1.0
    for at in sorted(range(len(asked)), key=lambda at: (_work(*asked[at]), -means[at])):
        if at == plain or means[at] >= best + STEP:
            best = max(best, means[at])
            scales, tta = asked[at]
            yield Way(scales, bool(tta), means[at], paired_bootstrap(counts[[at, plain]])[0])


def _work(scales: tuple[float, ...], tta: int) -> float:
    return sum(scale**2 for scale in scales) * (1 + tta)
