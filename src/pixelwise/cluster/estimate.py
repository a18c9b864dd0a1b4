"""What a job will take, by what a few of its images take one worker."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from pixelwise.cluster.row_chunks import FOLDER
from pixelwise.cluster.worker import DONE, PART, LabelTask, Worker
from pixelwise.inference.batching import MIN_CHUNK_ROWS, Batch, split_image
from pixelwise.inference.tiling import TilePlan
from pixelwise.io.storage import Store

SAMPLE_IMAGES = 5
"""Images that are labelled."""

ASIDE = ".estimate"
"""In the output folder: what is labelled for the estimate alone."""


@contextmanager
def estimate_folder(store: Store) -> Iterator[Store]:
    """A place for results that nobody keeps, where others will go; empty before and after the
    block.
    """
    place = Store(store.at(ASIDE))
    _empty(place)
    try:
        yield place
    finally:
        _empty(place)


def choose_sample(pixels: Mapping[str, int], plans: Mapping[str, TilePlan]) -> list[Batch]:
    """A unit of one image and one of a few, if there are more, from all over the list; or of two
    bands of the first image where all are large, which are those that have `plans`.
    """
    small = [image for image in pixels if image not in plans]
    if not small:
        image, plan = next(iter(plans.items()))
        return split_image(
            image, pixels[image], max(1, len(plan.rows) // MIN_CHUNK_ROWS), number=-2
        )[:2]
    chosen = small[:: max(1, len(small) // SAMPLE_IMAGES)][:SAMPLE_IMAGES]
    parts = [part for part in (chosen[:1], chosen[1:]) if part]
    return [
        Batch(-1 - n, tuple(part), tuple(pixels[image] for image in part))
        for n, part in enumerate(parts)
    ]


def measure_sample(
    ray: ModuleType,
    needs: Mapping[str, Any],
    kind: Callable[[LabelTask], Worker],
    task: LabelTask,
    units: Sequence[Batch],
) -> tuple[list[dict[str, Any]], float]:
    """What became of the images of one or two units, by a worker of their own, and how many pixels
    of the last unit it labelled in a second; 0 where none. Raises RayActorError where it dies.
    """
    worker = ray.remote(**needs)(kind).remote(task)
    try:
        rows = last = ray.get(worker.__call__.remote(units[0].as_row()))
        seconds = rows[0]["seconds"]  # without the model's loading
        for unit in units[1:]:
            began = time.monotonic()
            last = ray.get(worker.__call__.remote(unit.as_row()))
            seconds = time.monotonic() - began
            rows = rows + last
    finally:
        ray.kill(worker)
    labelled = sum(row["pixels"] for row in last if row["state"] in (DONE, PART))
    return rows, labelled and labelled / seconds


def describe_estimate(pixels: Sequence[int], rate: float, workers: int) -> str:
    """What images of `pixels` take at `rate` pixels a second for each of the workers, in words."""
    hours = sum(pixels) / rate / 3600
    return (
        f"{len(pixels)} images of {sum(pixels) / 1e6:.0f} megapixels: about {hours:.2g} "
        "worker-hours at "
        f"{rate / 1e6:.2f} megapixels/s a worker, {hours / workers * 60:.2g} minutes on "
        f"{workers} workers"
    )


def _empty(place: Store) -> None:
    for folder in (Store(place.at(FOLDER)), place):
        folder.remove(folder.times())
