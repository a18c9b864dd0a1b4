"""Many images to masks on many machines: a Ray Data job that a second call goes on with."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path, PurePosixPath
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
from pixelwise.cluster.pool import Pool, choose_one_runtime
from pixelwise.cluster.row_chunks import (
    MIN_DIVIDED_PIXELS,
    ChunkStore,
    divide_images,
    remove_chunks,
    start_chunks,
)
from pixelwise.cluster.temp_files import find_temp_files
from pixelwise.cluster.worker import DONE, PART, STOPPED, LabelTask, Worker
from pixelwise.errors import ConfigError, OutputError, first_line
from pixelwise.inference.areas import remove_areas, write_areas
from pixelwise.inference.batching import make_batches, split_image
from pixelwise.inference.load import check_load_options, read_any_header
from pixelwise.inference.manifest import FOLDER, Manifest, read_manifest
from pixelwise.inference.options import PredictOptions
from pixelwise.inference.outputs import (
    RECIPE,
    Recipe,
    check_clashes,
    find_finished,
    result_names,
    strip_query,
)
from pixelwise.inference.predict_files import (
    AREAS,
    STALE_AFTER_S,
    check_options,
    is_large,
    names_in_folder,
)
from pixelwise.inference.regions import class_ids
from pixelwise.inference.sources import find_sources, raster_size, read_pixel_counts
from pixelwise.inference.tiling import OVERLAP, TILE, TilePlan
from pixelwise.io.atomic import remove_stale_temp_files
from pixelwise.io.shards import parse_slot
from pixelwise.io.storage import Store, is_uri, normalize_uri, resolve_uri
from pixelwise.progress import Progress

WORTH_A_SAMPLE = 500_000_000
"""Pixels for each worker from which on it is worth that the others wait for some seconds, while one
labels SAMPLE images to say what all will take.
"""


@dataclass(frozen=True)
class JobSpec:
    """What is to be done.

    model: run folder or model file. inputs: as `find_sources` takes them. out: folder or address
    for the masks. choices: what is made of each image. loading: options of `load`. overwrite: make
    masks anew that are there. estimate: only label SAMPLE images aside and say what all would take;
    nothing that is there changes.
    """

    model: Path
    inputs: Sequence[str]
    out: str
    choices: PredictOptions = field(default_factory=PredictOptions)
    loading: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    describe_estimate: bool = False

    def recipe(self) -> Recipe:
        """As the single machine's: what is the same for all that a folder's masks have in
        common.
        """
        options = {key: self.loading[key] for key in ("tile", "overlap") if key in self.loading}
        return Recipe.of(self.model, overwrite=self.overwrite, **options, **self.choices.recipe())


@dataclass
class Predicted:
    """How many masks were written, how many were there already, and the images that failed, with
    the reason.
    """

    written: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def predict_on_cluster(
    order: JobSpec, cluster: Cluster, *, progress: Progress | None = None
) -> Predicted:
    """Write a mask for each image, as `predict_files` does, with the workers of a Ray cluster.

    Each result is written whole under its final name, so whatever is killed, a second call does
    only what is missing. What became of each image stands in `manifest/` beside the masks. An image
    that cannot be read, or that lost its worker again and again, is named there and the others go
    on. Raises ConfigError, DataError and OutputError as `predict_files` does, ConfigError where
    there is no cluster or its nodes cannot do the work.
    """
    progress = progress or Progress()
    sources = find_sources(order.inputs)
    out = normalize_uri(order.out)
    classes = read_any_header(order.model).classes
    store = Store(out if is_uri(out) else str(Path(out).absolute()))
    class_ids(classes.names, order.choices.largest)
    beside = _beside(sources, store)
    _refuse(order, sources, store, beside)
    done = _finished(order, sources, store, beside)
    if not order.estimate:
        remove_chunks(store, done)
    todo = [image for image in sources if image not in done]
    result = Predicted(skipped=len(done))
    if order.estimate and not todo:
        progress.log("nothing is left to measure: all masks are there")
        return result
    if todo:
        with connect(cluster, progress) as ray:
            job = _Job(ray, order, cluster, store, progress)
            job.prepare({image: sources[image] for image in todo}, beside)
            if order.estimate:
                job.estimate()
                return result
            for row in job.rows():
                if row["state"] == DONE:
                    result.written += 1
                    done[row["image"]] = row["mask"]
                else:
                    result.failed.append((row["image"], row["reason"]))
    _record_earlier(store, sources, done)
    if "areas" in order.choices.extras and (folder := store.local) is not None:
        write_areas(
            folder / AREAS,
            [folder / done[image] for image in sources if image in done],
            classes.names,
        )
    return result


class _Job:
    """One run: the workers' task, the units, and what comes back."""

    def __init__(
        self, ray: ModuleType, order: JobSpec, cluster: Cluster, store: Store, progress: Progress
    ) -> None:
        self._ray = ray
        self._order = order
        self._cluster = cluster
        self._store = store
        self._progress = progress
        self._sampled = list[dict[str, Any]]()

    def prepare(self, images: Mapping[str, int | None], beside: frozenset[str]) -> None:
        """Everything that can be refused, before anything is written."""
        order = self._order
        store = self._store
        unknown = [image for image, pixels in images.items() if pixels is None]
        pixels = {**images, **dict(zip(unknown, read_pixel_counts(unknown), strict=True))}
        sure = {
            image: count
            for image, count in pixels.items()
            if images[image] is not None or not is_uri(image)
        }
        check_options(
            order.choices, sure.items()
        )  # of the others, in stores, it may be bytes; a worker will tell
        self._weights = {image: count or 0 for image, count in pixels.items()}
        self._pool = pool = self._reached()
        loading = choose_one_runtime(order.model, order.loading, self._progress)
        self._task = LabelTask(store.root, pool.model, loading, order.choices, beside, pool.ledger)
        self._divide()

    def _reached(self) -> Pool:
        """The workers, whose nodes must see the folder of results: a file that is there for as long
        shows whether.
        """
        order = self._order
        folder = self._store.local
        mark = f".pixelwise-{uuid4().hex}"
        local = (
            slot.shard if (slot := parse_slot(image)) else image
            for image in self._weights
            if not is_uri(image)
        )
        shared = list(islice((path for name in local if (path := Path(name)).exists()), 1))
        if folder is None:
            return Pool.create(self._ray, self._cluster, order.model, order.loading, shared)
        self._store.write(mark, "")
        try:
            return Pool.create(
                self._ray, self._cluster, order.model, order.loading, [folder / mark, *shared]
            )
        finally:
            (folder / mark).unlink(missing_ok=True)

    def _divide(self) -> None:
        """Into how many bands images go; the pixels of the large ones become those that GDAL
        finds.
        """
        order = self._order
        plans = dict[str, TilePlan]()
        tile, overlap = (
            order.loading.get(key, usual) for key, usual in (("tile", TILE), ("overlap", OVERLAP))
        )
        for image, pixels in self._weights.items():
            if pixels > MIN_DIVIDED_PIXELS and (size := raster_size(image)):
                plans[image] = TilePlan(*size, tile, overlap)
                self._weights[image] = size[0] * size[1]
        made_with = {**order.recipe().made_with, "max_memory": order.loading.get("max_memory")}
        made_with |= {
            "confidence": order.choices.confidence,
            "scores": order.choices.scores,
        }  # these take memory too
        total = sum(self._weights.values())
        workers = self._pool.workers
        found, new = divide_images(
            self._store, plans, made_with, total=total, workers=workers, anew=order.overwrite
        )
        for image, of in found.items():
            self._progress.log(
                f"{image}: {plans[image].height} x {plans[image].width} pixels in {of} bands"
            )
        self._plans = plans
        self._bands = found
        self._new = new

    def describe_estimate(self) -> None:
        """Say what the job will take. Raises ConfigError where that cannot be told."""
        left = [self._left(image, pixels) for image, pixels in self._weights.items()]
        if not sum(left):
            self._progress.log(
                "nothing is left to measure: all bands are labelled, and only to be joined"
            )
            return
        with estimate_folder(self._store) as place:
            self._progress.log(describe_estimate(left, self._rate(place), self._pool.workers))

    def _rate(self, place: Store) -> float:
        """Pixels a second of a worker whose results go to `place`. Raises ConfigError and
        OutputError.
        """
        try:
            rows, rate = self._sample(replace(self._task, out=place.root))
        except worker_death_errors(self._ray) as error:
            raise ConfigError(
                f"no estimate: the worker died ({first_line(error)}); look at the nodes' "
                "memory and at Ray's logs"
            ) from error
        for row in rows:
            _refuse_stopped(row)
        if not rate:
            raise ConfigError(
                f"no estimate, as nothing that was tried could be labelled: {rows[-1]['reason']}"
            )
        return rate

    def _left(self, image: str, pixels: int) -> int:
        """Those of its pixels that are in no band that is there."""
        if image not in self._bands or image in self._new:
            return pixels
        parts = ChunkStore(self._store, image, self._bands[image], self._order.choices)
        return pixels * sum(not parts.has(number) for number in range(parts.of)) // parts.of

    def _sample(self, task: LabelTask) -> tuple[list[dict[str, Any]], float]:
        return measure_sample(
            self._ray, self._pool.needs, Worker, task, choose_sample(self._weights, self._plans)
        )

    def _begin(self) -> None:
        """Say what the masks are made with, what the job will take if it is long, and deal the
        units.
        """
        if (folder := self._store.local) is not None:
            remove_stale_temp_files(folder, names=self._names(), older=STALE_AFTER_S)
        _write_recipe(self._order, self._store)
        start_chunks(self._store, self._plans, self._bands, self._new)
        images = self._weights
        workers = self._pool.workers
        if (
            sum(images.values()) >= WORTH_A_SAMPLE * workers
            and len(images) - len(self._plans) > SAMPLE_IMAGES
        ):
            try:
                self._sampled, rate = self._sample(self._task)
            except worker_death_errors(
                self._ray
            ) as error:  # an image may be what kills; the units will tell
                self._progress.log(
                    f"no estimate: the worker that labels a few images died ({first_line(error)})"
                )
            else:
                if rate:
                    self._progress.log(describe_estimate(list(images.values()), rate, workers))
        taken = self._bands.keys() | {row["image"] for row in self._sampled}
        rest = [image for image in images if image not in taken]
        units = make_batches(rest, [images[image] for image in rest], workers=workers)
        for image, of in self._bands.items():
            units += split_image(image, images[image], of, number=len(units))
        self._units = sorted(units, key=lambda unit: -sum(unit.pixels))

    def rows(self) -> Iterator[dict[str, Any]]:
        """What became of each image, as it comes, written down. Raises OutputError where the job
        cannot go on.
        """
        self._begin()
        manifest = Manifest(self._store)
        began = time.monotonic()
        pixels = 0
        progress = self._progress
        total = len(self._weights) + sum(self._bands.values()) - len(self._bands)
        settled = set[str]()
        try:
            for row in progress.track(
                self._results(), what=f"predicting on {self._pool.workers} workers", total=total
            ):
                _refuse_stopped(row)
                pixels += row["pixels"]
                progress.set_postfix(
                    f"{pixels / 1e6 / (time.monotonic() - began):.1f} megapixels/s"
                )
                if row["image"] in settled:  # another band of an image that failed
                    continue
                for line in filter(None, row["said"].split("\n")):
                    progress.log(line)
                if row["state"] == PART:
                    manifest.add(row)
                    continue
                if row["state"] == DONE:
                    remove_chunks(self._store, self._bands.keys() & {row["image"]})
                else:
                    progress.log(f"skipped: {row['reason']}")
                settled.add(row["image"])
                manifest.add({**row, "pixels": self._weights[row["image"]]})
                yield row
            self._tidy()
        finally:
            manifest.flush()

    def _names(self) -> Iterator[str]:
        """All that the images may become."""
        return (
            name
            for image in self._weights
            for name in chain(*result_names(image, self._order.choices))
        )

    def _tidy(self) -> None:
        """Remove drafts of results that workers have left which were killed; nobody is at work any
        more.
        """
        if (folder := self._store.local) is not None:
            for draft in find_temp_files(self._names(), [path.name for path in folder.iterdir()]):
                (folder / draft).unlink(missing_ok=True)

    def _results(self) -> Iterator[dict[str, Any]]:
        """Ray Data's rows, after those of the sample."""
        yield from self._sampled
        yield from self._pool.run(Worker, self._task, [unit.as_row() for unit in self._units])


def _refuse_stopped(row: Mapping[str, Any]) -> None:
    """Raises OutputError where a worker says that the job cannot go on."""
    if row["state"] == STOPPED:
        raise OutputError(f"{row['reason']} (said by a worker)")


def _refuse(
    order: JobSpec, sources: Mapping[str, int | None], store: Store, beside: frozenset[str]
) -> None:
    """Raises OutputError and ConfigError for what can be told before a cluster is reached."""
    check_load_options(order.model, **order.loading)
    if store.local is not None and store.local.exists() and not store.local.is_dir():
        raise OutputError(f"output folder {store.root} is a file; choose another --out")
    if "areas" in order.choices.extras and store.local is None:
        raise ConfigError(
            "areas: the table is made of masks on disk; leave it out, or give a folder as --out"
        )
    check_clashes(
        list(sources),
        store.root,
        order.choices,
        beside=beside,
        is_large=lambda image: not _on_disk(image) or is_large(Path(image)),
    )


def _beside(sources: Mapping[str, int | None], store: Store) -> frozenset[str]:
    """Names of the images that lie where results go."""
    if store.local is not None:
        return frozenset(
            names_in_folder([Path(image) for image in sources if _on_disk(image)], store.local)
        )
    place = resolve_uri(store.root)
    folders = {image.rpartition("/")[0] for image in sources}
    same = {folder for folder in folders if is_uri(folder) and resolve_uri(folder) == place}
    return frozenset(
        PurePosixPath(image).name for image in sources if image.rpartition("/")[0] in same
    )


def _on_disk(image: str) -> bool:
    """Whether it is a file of its own, on a disk."""
    return not is_uri(image) and parse_slot(image) is None


def _made_with(store: Store) -> object:
    try:
        return json.loads(store.text(RECIPE) or "null")
    except ValueError:
        return None


def _finished(
    order: JobSpec, sources: Mapping[str, int | None], store: Store, beside: frozenset[str]
) -> dict[str, str]:
    """The images that need no work, with their masks. Raises ConfigError where a mask is another
    image's.
    """
    if order.overwrite:
        return {}
    same = _made_with(store) == order.recipe().made_with
    there = store.times()
    done = find_finished(
        list(sources), store.root, order.choices, there=there, beside=beside, same=same
    )
    written = read_manifest(store, since=there.get(RECIPE, 0)) if done else {}
    of = {row["mask"]: image for image, row in written.items() if row["state"] == DONE}
    for image, mask in done.items():
        if (other := of.get(mask, strip_query(image))) != strip_query(image):
            raise ConfigError(
                f"{store.root} has a mask {mask} of {other}, another image than "
                f"{strip_query(image)}; give --overwrite to "
                "make it anew, or another --out; if it is the same that was moved, remove "
                f"{store.at(FOLDER)}"
            )
    return done


def _write_recipe(order: JobSpec, store: Store) -> None:
    """Say what the masks are made with, where that is not said yet. Raises OutputError where
    nothing can be written.
    """
    recipe = order.recipe()
    if recipe.overwrite or _made_with(store) != recipe.made_with:
        store.write(RECIPE, recipe.as_json())
    if recipe.overwrite and "areas" not in order.choices.extras and store.local is not None:
        remove_areas(store.local / AREAS)


def _record_earlier(
    store: Store, sources: Mapping[str, int | None], done: Mapping[str, str]
) -> None:
    """Write down what is there but stands in no manifest: the driver was killed before it came to
    that.
    """
    known = {image for image, row in read_manifest(store).items() if row["state"] == DONE}
    manifest = Manifest(store)
    for image, mask in done.items():
        if strip_query(image) not in known:
            manifest.add({"image": image, "state": DONE, "mask": mask, "pixels": sources[image]})
    manifest.flush()
