"""Many images to masks on many machines: the job of `predict_files` with Ray's workers, which a
second call goes on with.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from pixelwise.cluster.engine import Cluster, connect, worker_death_errors
from pixelwise.cluster.estimate import (
    SAMPLE_IMAGES,
    choose_sample,
    describe_estimate,
    estimate_folder,
    measure_sample,
)
from pixelwise.cluster.ray_executor import RayExecutor, choose_one_runtime
from pixelwise.cluster.row_chunks import (
    MIN_DIVIDED_PIXELS,
    ChunkStore,
    divide_images,
    remove_chunks,
    start_chunks,
)
from pixelwise.cluster.worker import LabelTask, Worker
from pixelwise.errors import ConfigError, first_line
from pixelwise.inference.batching import Batch, make_batches, split_image
from pixelwise.inference.executor import Row
from pixelwise.inference.image_info import ImageInfos
from pixelwise.inference.label_job import LabelJob, Predictions, check_options, check_stopped
from pixelwise.inference.load import check_load_options, read_any_header
from pixelwise.inference.manifest import DONE, PART
from pixelwise.inference.output_folder import OutputFolder
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.regions import class_ids
from pixelwise.inference.sources import (
    find_left_aside,
    find_sources,
    raster_size,
    read_pixel_counts,
    shared_names,
)
from pixelwise.inference.tiling import OVERLAP, TILE, TilePlan
from pixelwise.io.image_formats import describe_left_aside
from pixelwise.io.shards import parse_slot
from pixelwise.io.storage import Store, is_uri, normalize_uri, open_store
from pixelwise.io.temp_files import find_temp_files
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

# Pixels for each worker from which on it is worth that the others wait for some seconds, while one
# labels SAMPLE_IMAGES images to say what all will take.
MIN_PIXELS_FOR_ESTIMATE = 500_000_000


@dataclass(frozen=True)
class JobSpec:
    """What is to be done.

    model: run folder or model file. inputs: as `find_sources` takes them. out: folder or URI for
    the masks. choices: what is made of each image. loading: options of `load`. overwrite: replace
    masks that exist. estimate: only label SAMPLE_IMAGES elsewhere and say what all would take;
    nothing that exists changes.
    """

    model: Path
    inputs: Sequence[str]
    out: str
    choices: PredictOptions = field(default_factory=PredictOptions)
    loading: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    estimate: bool = False

    def recipe(self) -> Recipe:
        """As the single machine's: what is the same for all that a folder's masks have in
        common.
        """
        options = {key: self.loading[key] for key in ("tile", "overlap") if key in self.loading}
        return Recipe.of(self.model, overwrite=self.overwrite, **options, **self.choices.recipe())


def predict_on_cluster(
    spec: JobSpec, cluster: Cluster, *, progress: Progress | None = None
) -> Predictions:
    """Write a mask for each image, as `predict_files` does, with the workers of a Ray cluster.

    Each result is written whole under its final name, so whatever is killed, a second call does
    only what is missing. What became of each image stands in `manifest/` beside the masks. An image
    that cannot be read, or that lost its worker again and again, is named there and the others go
    on. Raises ConfigError, DataError and OutputError as `predict_files` does, ConfigError where
    there is no cluster or its nodes cannot do the work.
    """
    progress = progress or default_progress()
    if spec.choices.frames == "all":
        raise ConfigError(
            "--frames all splits files on this machine alone; leave out --cluster, or save each "
            "frame as a file"
        )
    if spec.choices.to:
        raise ConfigError(
            f"--to {spec.choices.to} is written on this machine: leave it out here, then run the "
            "same command without --cluster, which makes no mask again"
        )
    sources = shared_names(find_sources(spec.inputs))
    left_aside = describe_left_aside(find_left_aside(spec.inputs))
    if left_aside:
        progress.log(left_aside)
    out = normalize_uri(spec.out)
    header = read_any_header(spec.model)
    header.check_one_class(spec.model)
    class_names = header.classes.names
    store = open_store(out if is_uri(out) else Path(out).absolute())
    class_ids(class_names, spec.choices.largest)
    check_load_options(spec.model, **spec.loading)
    infos = ImageInfos(sources)
    folder = OutputFolder(
        store, list(sources), spec.choices, spec.recipe(), is_large=infos.may_be_large
    )
    folder.check(progress)
    job = LabelJob(sources, folder, progress)
    if not spec.estimate:
        remove_chunks(store, list(job.finished), folder.root)
    if not job.todo:
        if spec.estimate:
            progress.log("nothing is left to measure: all masks exist")
            return Predictions(skipped=job.skipped)
        return job.run((), class_names, what="predicting", total=0)
    with connect(cluster, progress) as ray:
        work = _ClusterWork(ray, spec, cluster, folder, progress)
        work.prepare(job.todo)
        if spec.estimate:
            work.estimate()
            return Predictions(skipped=job.skipped)
        what = f"predicting on {work.workers} workers"
        return job.run(work.rows(), class_names, what=what, total=work.row_count)


class _ClusterWork:
    """What the images of one job become on a connected cluster: the workers' task, the batches,
    and the rows that come back.
    """

    def __init__(
        self,
        ray: ModuleType,
        spec: JobSpec,
        cluster: Cluster,
        folder: OutputFolder,
        progress: Progress,
    ) -> None:
        self._ray = ray
        self._spec = spec
        self._cluster = cluster
        self._folder = folder
        self._store = folder.store
        self._progress = progress
        self._sample_rows = list[Row]()

    @property
    def workers(self) -> int:
        """How many at most."""
        return self._executor.workers

    @property
    def row_count(self) -> int:
        """Rows that will come: one for each image, or for each row chunk of it."""
        counts = self._chunk_counts
        return len(self._pixels) + sum(counts.values()) - len(counts)

    def prepare(self, images: Mapping[str, int | None]) -> None:
        """Check everything that can be checked before anything is written."""
        spec = self._spec
        self._count_pixels(images)
        self._executor = self._create_executor()
        loading = choose_one_runtime(spec.model, spec.loading, self._progress)
        self._task = LabelTask(
            self._store.root,
            self._executor.model,
            loading,
            spec.choices,
            self._folder.inputs,
            self._executor.attempts,
            self._folder.root,
        )
        self._divide()

    def _count_pixels(self, images: Mapping[str, int | None]) -> None:
        """The pixels of each image, read where they are not known. Raises as `check_options`."""
        unknown = [image for image, pixels in images.items() if pixels is None]
        read = dict(zip(unknown, read_pixel_counts(unknown), strict=True))
        self._pixels = dict[str, int]()
        for image, pixels in images.items():
            self._pixels[image] = pixels or read.get(image) or 0
        # of images in stores it may be the bytes; a worker will tell
        certain = [image for image in images if image not in read or not is_uri(image)]
        names = read_any_header(self._spec.model).classes.names
        check_options(
            self._spec.choices, names, ((image, self._pixels[image]) for image in certain)
        )

    def _create_executor(self) -> RayExecutor:
        """The workers, whose nodes must see the folder of results: a file that exists for as long
        shows whether.
        """
        spec = self._spec
        local = self._store.local
        files = (_file_of(image) for image in self._pixels if not is_uri(image))
        shared = list(islice((path for path in files if path.exists()), 1))
        if local is None:
            return RayExecutor.create(self._ray, self._cluster, spec.model, spec.loading, shared)
        probe = f".pixelwise-{uuid4().hex}"
        self._store.write(probe, "")
        shared = [local / probe, *shared]
        try:
            return RayExecutor.create(self._ray, self._cluster, spec.model, spec.loading, shared)
        finally:
            (local / probe).unlink(missing_ok=True)

    def _plan_tiles(self) -> None:
        """The tiles of images above MIN_DIVIDED_PIXELS that are read by window."""
        tile = self._spec.loading.get("tile", TILE)
        overlap = self._spec.loading.get("overlap", OVERLAP)
        self._plans = dict[str, TilePlan]()
        for image, pixels in self._pixels.items():
            # GDAL opens the file: small ones are not worth a request to their store.
            size = raster_size(image) if pixels > MIN_DIVIDED_PIXELS else None
            if size is not None:
                self._plans[image] = TilePlan(*size, tile, overlap)
                height, width = size
                self._pixels[image] = height * width

    def _divide(self) -> None:
        """Into how many row chunks images go; the pixels of the large ones become those that GDAL
        finds.
        """
        spec = self._spec
        self._plan_tiles()
        # what is kept beside the labels takes memory too, and with it decides the tiles
        made_with = {
            **spec.recipe().made_with,
            "max_memory": spec.loading.get("max_memory"),
            "confidence": spec.choices.confidence,
            "scores": spec.choices.scores,
        }
        self._chunk_counts, self._new_plans = divide_images(
            self._store,
            self._plans,
            made_with,
            total=sum(self._pixels.values()),
            workers=self.workers,
            overwrite=spec.overwrite,
            root=self._folder.root,
        )
        for image, count in self._chunk_counts.items():
            plan = self._plans[image]
            self._progress.log(
                f"{image}: {plan.height} x {plan.width} pixels in {count} row chunks"
            )

    def estimate(self) -> None:
        """Log what the job will take. Raises ConfigError where that cannot be told."""
        left = [self._pixels_left(image, pixels) for image, pixels in self._pixels.items()]
        if not sum(left):
            self._progress.log(
                "nothing is left to measure: all row chunks are labelled, and only to be joined"
            )
            return
        with estimate_folder(self._store) as folder:
            self._progress.log(describe_estimate(left, self._measure_rate(folder), self.workers))

    def _measure_rate(self, folder: Store) -> float:
        """Pixels a second of a worker whose results go to `folder`. Raises ConfigError and
        OutputError.
        """
        try:
            rows, rate = self._measure_sample(replace(self._task, out=folder.root, root=None))
        except worker_death_errors(self._ray) as error:
            raise ConfigError(
                f"no estimate: the worker died ({first_line(error)}); look at the nodes' "
                "memory and at Ray's logs"
            ) from error
        for row in rows:
            check_stopped(row)
        if not rate:
            raise ConfigError(
                f"no estimate, as nothing that was tried could be labelled: {rows[-1]['reason']}"
            )
        return rate

    def _pixels_left(self, image: str, pixels: int) -> int:
        """Those of its pixels that are in no row chunk that exists."""
        if image not in self._chunk_counts or image in self._new_plans:
            return pixels
        count = self._chunk_counts[image]
        chunks = ChunkStore(self._store, image, count, self._spec.choices, self._folder.root)
        missing = sum(not chunks.has(number) for number in range(count))
        return pixels * missing // count

    def _measure_sample(self, task: LabelTask) -> tuple[list[Row], float]:
        sample = choose_sample(self._pixels, self._plans)
        return measure_sample(self._ray, self._executor.needs, Worker, task, sample)

    def _begin(self) -> list[Batch]:
        """Write what the masks are made with, log what the job will take if it is long, and make
        the batches.
        """
        self._folder.begin()
        start_chunks(
            self._store, self._plans, self._chunk_counts, self._new_plans, self._folder.root
        )
        pixels = self._pixels
        small = len(pixels) - len(self._plans)
        if sum(pixels.values()) >= MIN_PIXELS_FOR_ESTIMATE * self.workers and small > SAMPLE_IMAGES:
            self._log_estimate()
        taken = self._chunk_counts.keys() | {row["image"] for row in self._sample_rows}
        rest = [image for image in pixels if image not in taken]
        batches = make_batches(rest, [pixels[image] for image in rest], workers=self.workers)
        for image, count in self._chunk_counts.items():
            batches += split_image(image, pixels[image], count, number=len(batches))
        return sorted(batches, key=lambda batch: -sum(batch.pixels))

    def _log_estimate(self) -> None:
        try:
            self._sample_rows, rate = self._measure_sample(self._task)
        # an image may be what kills; the batches will tell
        except worker_death_errors(self._ray) as error:
            self._progress.log(
                f"no estimate: the worker that labels a few images died ({first_line(error)})"
            )
            return
        if rate:
            pixels = list(self._pixels.values())
            self._progress.log(describe_estimate(pixels, rate, self.workers))

    def rows(self) -> Iterator[Row]:
        """What became of each image or row chunk, as it comes: first of the sample."""
        batches = self._begin()
        began = time.monotonic()
        labelled = 0
        for row in self._all_rows(batches):
            labelled += row["pixels"]
            rate = labelled / 1e6 / (time.monotonic() - began)
            self._progress.set_postfix(f"{rate:.1f} megapixels/s")
            image = row["image"]
            if row["state"] == DONE and image in self._chunk_counts:
                remove_chunks(self._store, [image], self._folder.root)
            yield row if row["state"] == PART else {**row, "pixels": self._pixels[image]}
        self._remove_temp_files()

    def _all_rows(self, batches: list[Batch]) -> Iterator[Row]:
        yield from self._sample_rows
        yield from self._executor.map(Worker, self._task, batches)

    def _remove_temp_files(self) -> None:
        """Remove what workers that were killed left of results; nobody is at work any more."""
        local = self._store.local
        if local is None:
            return
        for folder, names in self._folder.names_by_folder().items():
            place = local / folder
            existing = [path.name for path in place.iterdir()] if place.is_dir() else []
            for name in find_temp_files(names, existing):
                (place / name).unlink(missing_ok=True)


def _file_of(image: str) -> Path:
    """The file that holds an image on disk."""
    slot = parse_slot(image)
    return Path(slot.shard if slot else image)
