"""What a job will take, by what a few of its images take one worker."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from pixelwise.cluster.row_chunks import FOLDER
from pixelwise.cluster.worker import LabelTask, Worker
from pixelwise.inference.batching import MIN_CHUNK_ROWS, Batch, split_image
from pixelwise.inference.manifest import DONE, PART
from pixelwise.inference.tiling import TilePlan
from pixelwise.io.storage import Store

# Images that are labelled.
SAMPLE_IMAGES = 5

# In the output folder: what is labelled for the estimate alone.
ESTIMATE_FOLDER = ".estimate"


@contextmanager
def estimate_folder(store: Store) -> Iterator[Store]:
    """A place for results that nobody keeps, where others will go; empty before and after the
    block.
    """
    folder = store.subfolder(ESTIMATE_FOLDER)
    _empty(folder)
    try:
        yield folder
    finally:
        _empty(folder)


def choose_sample(pixels: Mapping[str, int], plans: Mapping[str, TilePlan]) -> list[Batch]:
    """A batch of one image and one of a few, if there are more, from all over the list; or of two
    row chunks of the first image where all are large, which are those that have `plans`.
    """
    small = [image for image in pixels if image not in plans]
    if not small:
        image, plan = next(iter(plans.items()))
        count = max(1, len(plan.rows) // MIN_CHUNK_ROWS)
        return split_image(image, pixels[image], count, number=-2)[:2]
    step = max(1, len(small) // SAMPLE_IMAGES)
    sample = small[::step][:SAMPLE_IMAGES]
    batches = [_make_batch(-1, sample[:1], pixels)]
    if len(sample) > 1:
        batches.append(_make_batch(-2, sample[1:], pixels))
    return batches


def _make_batch(number: int, images: Sequence[str], pixels: Mapping[str, int]) -> Batch:
    """Numbers below 0 are those of no batch of the job."""
    sizes = tuple(pixels[image] for image in images)
    return Batch(number, tuple(images), sizes)


def measure_sample(
    ray: ModuleType,
    needs: Mapping[str, Any],
    kind: Callable[[LabelTask], Worker],
    task: LabelTask,
    batches: Sequence[Batch],
) -> tuple[list[dict[str, Any]], float]:
    """What became of the images of one or two batches, by a worker of their own, and how many
    pixels of the last batch it labelled in a second; 0 where none. Raises RayActorError where it
    dies.
    """
    worker = ray.remote(**needs)(kind).remote(task)
    try:
        first, *others = batches
        rows = ray.get(worker.__call__.remote(first.as_row()))
        last_rows = rows
        seconds = rows[0]["seconds"]  # without the model's loading
        for batch in others:
            began = time.monotonic()
            last_rows = ray.get(worker.__call__.remote(batch.as_row()))
            seconds = time.monotonic() - began
            rows = rows + last_rows
    finally:
        ray.kill(worker)
    labelled = _count_labelled(last_rows)
    return rows, labelled and labelled / seconds


def _count_labelled(rows: Sequence[Mapping[str, Any]]) -> int:
    """Pixels of the images, or parts of them, that were labelled."""
    pixels = 0
    for row in rows:
        if row["state"] in (DONE, PART):
            pixels += row["pixels"]
    return pixels


def describe_estimate(pixels: Sequence[int], rate: float, workers: int) -> str:
    """What images of `pixels` take at `rate` pixels a second for each of the workers, in words."""
    hours = sum(pixels) / rate / 3600
    return (
        f"{len(pixels)} images of {sum(pixels) / 1e6:.0f} megapixels: about {hours:.2g} "
        f"worker-hours at {rate / 1e6:.2f} megapixels/s a worker, {hours / workers * 60:.2g} "
        f"minutes on {workers} workers"
    )


def _empty(folder: Store) -> None:
    for part in (folder.subfolder(FOLDER), folder):
        part.remove(part.times())
