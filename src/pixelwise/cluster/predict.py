"""Many images to masks on many machines: a Ray Data job that a second call goes on with."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from pixelwise.cluster.bands import LARGE, clear, divide
from pixelwise.cluster.engine import Cluster, connected
from pixelwise.cluster.manifest import Manifest, read_manifest
from pixelwise.cluster.pool import Pool, one_runtime
from pixelwise.cluster.shards import slot_of
from pixelwise.cluster.sources import find_sources, raster_size, weights
from pixelwise.cluster.store import Store, is_address
from pixelwise.cluster.units import Unit, cut, deal
from pixelwise.cluster.worker import DONE, PART, STOPPED, Task, Worker
from pixelwise.errors import ConfigError, OutputError
from pixelwise.inference.areas import remove_areas, write_areas
from pixelwise.inference.choices import Choices
from pixelwise.inference.load import TILE, read_classes
from pixelwise.inference.tiles import OVERLAP, TilePlan
from pixelwise.jobs.predict import AREAS, is_large, names_beside, refuse_unable
from pixelwise.jobs.results import RECIPE, Recipe, finished, refuse_clashes
from pixelwise.monitor import Monitor

SAMPLE, WORTH_A_SAMPLE = 5, 500_000_000
"""Images that one worker labels first, to say what all will take; and the pixels for each worker from which on that is
worth the ten seconds that the others wait.
"""


@dataclass(frozen=True)
class Order:
    """What is to be done.

    model: run folder or model file. inputs: as `find_sources` takes them. out: folder or address for the masks.
    choices: what is made of each image. loading: options of `load`. overwrite: make masks anew that are there.
    estimate: only label SAMPLE images and say what all would take.
    """

    model: Path
    inputs: Sequence[str]
    out: str
    choices: Choices = field(default_factory=Choices)
    loading: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    estimate: bool = False

    def recipe(self) -> Recipe:
        """As the single machine's: what is the same for all that a folder's masks have in common."""
        options = {key: self.loading[key] for key in ("tile", "overlap") if key in self.loading}
        return Recipe.of(self.model, overwrite=self.overwrite, **options, **self.choices.recipe())


@dataclass
class Predicted:
    """How many masks were written, how many were there already, and the images that failed, with the reason."""

    written: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def predict_on_cluster(order: Order, cluster: Cluster, *, monitor: Monitor | None = None) -> Predicted:
    """Write a mask for each image, as `predict_files` does, with the workers of a Ray cluster.

    Each result is written whole under its final name, so whatever is killed, a second call does only what is missing.
    What became of each image stands in `manifest/` beside the masks. An image that cannot be read, or that lost its
    worker again and again, is named there and the others go on. Raises ConfigError, DataError and OutputError as
    `predict_files` does, ConfigError where there is no cluster or its nodes cannot do the work.
    """
    monitor = monitor or Monitor()
    sources = find_sources(order.inputs)
    store, classes = (
        Store(order.out if is_address(order.out) else str(Path(order.out).absolute())),
        read_classes(order.model),
    )
    beside = _beside(sources, store)
    _refuse(order, sources, store, beside)
    done = _finished(order, sources, store, beside)
    clear(store, done)
    todo = [image for image in sources if image not in done]
    result = Predicted(skipped=len(done))
    if todo:
        with connected(cluster, monitor) as ray:
            job = _Job(ray, order, cluster, store, monitor)
            job.prepare({image: sources[image] for image in todo}, beside)
            if order.estimate:
                return result
            for row in job.rows():
                if row["state"] == DONE:
                    result.written += 1
                    done[row["image"]] = row["mask"]
                else:
                    result.failed.append((row["image"], row["reason"]))
    _record_earlier(store, sources, done)
    if "areas" in order.choices.extras and (folder := store.local) is not None:
        write_areas(folder / AREAS, [folder / done[image] for image in sources if image in done], classes.names)
    return result


class _Job:
    """One run: the workers' task, the units, and what comes back."""

    def __init__(self, ray: ModuleType, order: Order, cluster: Cluster, store: Store, monitor: Monitor) -> None:
        self._ray, self._order, self._cluster, self._store, self._monitor = ray, order, cluster, store, monitor

    def prepare(self, images: Mapping[str, int | None], beside: frozenset[str]) -> None:
        """Everything that can be refused, before anything is written; then the recipe, the units and the estimate."""
        order, store = self._order, self._store
        unknown = [image for image, pixels in images.items() if pixels is None]
        pixels = {**images, **dict(zip(unknown, weights(unknown), strict=True))}
        refuse_unable(order.choices, pixels.items())
        _write_recipe(order, store)
        shared = [store.local / RECIPE] if store.local is not None else []
        local = (slot.shard if (slot := slot_of(image)) else image for image in images if not is_address(image))
        shared += islice((path for name in local if (path := Path(name)).exists()), 1)
        self._pool = pool = Pool.of(self._ray, self._cluster, order.model, order.loading, shared)
        loading = one_runtime(order.model, order.loading, self._monitor)
        self._task = Task(store.root, pool.model, loading, order.choices, beside, pool.ledger)
        self._weights = {image: count or 0 for image, count in pixels.items()}
        self._bands = self._divided()
        long = sum(self._weights.values()) >= WORTH_A_SAMPLE * pool.workers and len(self._bands) < len(images)
        self._sampled = self._sample() if order.estimate or long else []
        rest = [image for image in images if image not in {row["image"] for row in self._sampled} | self._bands.keys()]
        units = deal(rest, [self._weights[image] for image in rest], workers=pool.workers)
        for image, of in self._bands.items():
            units += cut(image, self._weights[image], of, number=len(units))
        self._units = sorted(units, key=lambda unit: -sum(unit.pixels))

    def _divided(self) -> dict[str, int]:
        """Into how many bands images go; the pixels of the large ones become those that GDAL finds."""
        order, plans = self._order, dict[str, TilePlan]()
        tile, overlap = (order.loading.get(key, usual) for key, usual in (("tile", TILE), ("overlap", OVERLAP)))
        for image, pixels in self._weights.items():
            if pixels > LARGE and (size := raster_size(image)):
                plans[image] = TilePlan(*size, tile, overlap)
                self._weights[image] = size[0] * size[1]
        made_with = {**order.recipe().made_with, "max_memory": order.loading.get("max_memory")}
        made_with |= {"confidence": order.choices.confidence, "scores": order.choices.scores}  # these take memory too
        total, workers = sum(self._weights.values()), self._pool.workers
        found = divide(self._store, plans, made_with, total=total, workers=workers, anew=order.overwrite)
        for image, of in found.items():
            self._monitor.line(f"{image}: {plans[image].height} x {plans[image].width} pixels in {of} bands")
        return found

    def rows(self) -> Iterator[dict[str, Any]]:
        """What became of each image, as it comes, written down. Raises OutputError where the job cannot go on."""
        manifest, began, pixels = Manifest(self._store), time.monotonic(), 0
        monitor, total = self._monitor, len(self._weights) + sum(self._bands.values()) - len(self._bands)
        settled = set[str]()
        try:
            for row in monitor.track(self._results(), what=f"predicting on {self._pool.workers} workers", total=total):
                if row["state"] == STOPPED:
                    raise OutputError(f"{row['reason']} (said by a worker)")
                pixels += row["pixels"]
                monitor.status(f"{pixels / 1e6 / (time.monotonic() - began):.1f} megapixels/s")
                if row["image"] in settled:  # another band of an image that failed
                    continue
                for line in filter(None, row["said"].split("\n")):
                    monitor.line(line)
                if row["state"] == PART:
                    manifest.add(row)
                    continue
                if row["state"] == DONE:
                    clear(self._store, self._bands.keys() & {row["image"]})
                else:
                    monitor.line(f"skipped: {row['reason']}")
                settled.add(row["image"])
                manifest.add({**row, "pixels": self._weights[row["image"]]})
                yield row
        finally:
            manifest.flush()

    def _results(self) -> Iterator[dict[str, Any]]:
        """Ray Data's rows, after those of the sample."""
        yield from self._sampled
        yield from self._pool.run(Worker, self._task, [unit.as_row() for unit in self._units])

    def _sample(self) -> list[dict[str, Any]]:
        """The rows of a few images from all over the list, by one worker; says what all will take at its rate."""
        ray, (first, others) = self._ray, (unit.as_row() for unit in self._probes())
        worker = ray.remote(**self._pool.needs)(Worker).remote(self._task)
        try:
            rows = ray.get(worker.__call__.remote(first))  # the model is loaded and warm
            began = time.monotonic()
            rows += ray.get(worker.__call__.remote(others))
        except ray.exceptions.RayActorError:  # one of them may be what kills workers; the units will tell
            self._monitor.line("no estimate: the worker that should label a few images died; going on")
            return []
        finally:
            ray.kill(worker)
        rate = sum(row["pixels"] for row in rows[1:] if row["state"] in (DONE, PART)) / (time.monotonic() - began)
        if rate:
            self._monitor.line(estimate(list(self._weights.values()), rate, self._pool.workers))
        return [row for row in rows if row["image"] not in self._bands]

    def _probes(self) -> list[Unit]:
        """A unit of one image and one of a few, which go to nobody else; or two bands, which are there when their
        units are taken up.
        """
        images = [image for image in self._weights if image not in self._bands]
        if not images:
            image, of = next(iter(self._bands.items()))
            return cut(image, self._weights[image], of, number=-2)[:2]
        chosen = images[:: max(1, len(images) // SAMPLE)][:SAMPLE]
        return [
            Unit(number, tuple(part), tuple(self._weights[image] for image in part))
            for number, part in ((-1, chosen[:1]), (-2, chosen[1:]))
        ]


def estimate(pixels: Sequence[int], rate: float, workers: int) -> str:
    """What images of `pixels` take at `rate` pixels a second for each of the workers, in words."""
    hours = sum(pixels) / rate / 3600
    return (
        f"{len(pixels)} images of {sum(pixels) / 1e6:.0f} megapixels: about {hours:.2g} worker-hours at "
        f"{rate / 1e6:.2f} megapixels/s a worker, {hours / workers * 60:.2g} minutes on {workers} workers"
    )


def _refuse(order: Order, sources: Mapping[str, int | None], store: Store, beside: frozenset[str]) -> None:
    """Raises OutputError and ConfigError for what can be told before a cluster is reached."""
    if store.local is not None and store.local.exists() and not store.local.is_dir():
        raise OutputError(f"output folder {store.root} is a file; choose another --out")
    if "areas" in order.choices.extras and store.local is None:
        raise ConfigError("areas: the table is made of masks on disk; leave it out, or give a folder as --out")
    refuse_clashes(
        list(sources),
        store.root,
        order.choices,
        beside=beside,
        is_large=lambda image: not _on_disk(image) or is_large(Path(image)),
    )


def _beside(sources: Mapping[str, int | None], store: Store) -> frozenset[str]:
    """Names of the images that lie where results go."""
    if store.local is not None:
        return frozenset(names_beside([Path(image) for image in sources if _on_disk(image)], store.local))
    folder = store.root.rstrip("/")
    return frozenset(PurePosixPath(image).name for image in sources if image.rpartition("/")[0] == folder)


def _on_disk(image: str) -> bool:
    """Whether it is a file of its own, on a disk."""
    return not is_address(image) and slot_of(image) is None


def _made_with(store: Store) -> object:
    try:
        return json.loads(store.text(RECIPE) or "null")
    except ValueError:
        return None


def _finished(order: Order, sources: Mapping[str, int | None], store: Store, beside: frozenset[str]) -> dict[str, str]:
    """The images that need no work, with their masks."""
    if order.overwrite:
        return {}
    same = _made_with(store) == order.recipe().made_with
    return finished(list(sources), store.root, order.choices, there=store.times(), beside=beside, same=same)


def _write_recipe(order: Order, store: Store) -> None:
    """Say what the masks are made with, where that is not said yet. Raises OutputError where nothing can be written."""
    recipe = order.recipe()
    if recipe.overwrite and "areas" not in order.choices.extras and store.local is not None:
        remove_areas(store.local / AREAS)
    if recipe.overwrite or _made_with(store) != recipe.made_with:
        store.write(RECIPE, recipe.as_json())


def _record_earlier(store: Store, sources: Mapping[str, int | None], done: Mapping[str, str]) -> None:
    """Write down what is there but stands in no manifest: the driver was killed before it came to that."""
    known = {image for image, row in read_manifest(store).items() if row["state"] == DONE}
    manifest = Manifest(store)
    for image, mask in done.items():
        if image not in known:
            manifest.add({"image": image, "state": DONE, "mask": mask, "pixels": sources[image]})
    manifest.flush()
