"""What runs on the nodes: a model loaded once, which labels batches of images as one machine does,
and a count of attempts.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pixelwise.cluster.row_chunks import ChunkStore
from pixelwise.cluster.watchdog import DEFAULT_PACE, Watchdog
from pixelwise.errors import ConfigError, ImageError, PixelwiseError
from pixelwise.inference.image_info import ImageInfos
from pixelwise.inference.image_worker import ImageWorker, Labelled
from pixelwise.inference.join_chunks import join_row_chunks
from pixelwise.inference.load import load
from pixelwise.inference.manifest import DONE, FAILED, PART, STOPPED, new_row
from pixelwise.inference.outputs import RECIPE, find_finished
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predict_raster import RasterSummary, predict_raster
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.raster import reads_by_window
from pixelwise.inference.raster_overlay import write_raster_overlay
from pixelwise.inference.result_names import result_names
from pixelwise.inference.threads import map_ordered
from pixelwise.inference.tiling import RowChunk
from pixelwise.io.images import pixel_count
from pixelwise.io.reading_notes import ReadingNotes
from pixelwise.io.storage import open_store
from pixelwise.io.temp_files import temp_folder
from pixelwise.progress import Progress

T = TypeVar("T")

# How many workers an image may cost while it is alone in work, after the batch it was in was lost
# with one, before it is set aside. Deaths while others are in work do not count, however many there
# are: of a job whose workers die by chance once a minute, an image of a second is set aside once in
# some 200,000 that were in work at a death.
MAX_ATTEMPTS = 3

# How often in a row a worker may die while it loads the model, as where machines are taken away,
# before the job ends. Ray itself starts it again for ever, also where the memory never suffices.
MAX_LOAD_DEATHS = 8


@dataclass(frozen=True)
class LabelTask:
    """What every worker needs to know.

    out: folder or URI. model: the files of the model, the one to load first, in Ray's object
    store. loading: options of `load`. inputs: names of images that lie in `out`. attempts: the
    handle of an AttemptTracker. root: as in `result_stem`.
    """

    out: str
    model: Any
    loading: Mapping[str, Any]
    choices: PredictOptions
    inputs: frozenset[str]
    attempts: Any
    root: str | None = None


def load_predictor(model: Any, loading: Mapping[str, Any], attempts: Any) -> Predictor:
    """The model of a RayExecutor, loaded in this process, which is ended where that takes longer
    than any step may. Raises ConfigError where that has ended this worker MAX_LOAD_DEATHS times.
    """
    import ray

    what = f"loading by {ray.get_runtime_context().get_actor_id()}"
    if call_actor(attempts.begin, what) >= MAX_LOAD_DEATHS:
        raise ConfigError(
            f"a worker died or hung {MAX_LOAD_DEATHS} times in a row while it loaded the model; "
            "give it more memory"
        )
    with temp_folder() as folder, Watchdog().watch(0):
        files = {Path(folder) / name: content for name, content in ray.get(model).items()}
        for path, content in files.items():
            path.write_bytes(content)
        predictor = load(next(iter(files)), **loading)
    call_actor(attempts.end, what)
    return predictor


def call_actor(method: Any, *args: object) -> Any:
    """What a method of an actor answers."""
    import ray

    return ray.get(method.remote(*args))


class Worker:
    """Holds the model. Called with a row of a batch it gives a row for each image, with what became
    of it.
    """

    max_attempts = MAX_ATTEMPTS

    def __init__(self, task: LabelTask) -> None:
        self._task = task
        self._temp_folder = temp_folder()
        self._worker = ImageWorker(
            load_predictor(task.model, task.loading, task.attempts),
            open_store(task.out),
            task.choices,
            temp_folder=Path(self._temp_folder.name),
            root=task.root,
        )
        self._watchdog = Watchdog()
        self._pace = 0.0
        self._notes = dict[str, ReadingNotes]()

    def __call__(self, batch: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The images of a batch, side by side; one by one where a worker was lost over them
        before.
        """
        images = [str(image) for image in batch["images"]]
        pixels = [int(count) for count in batch["pixels"]]
        pairs = list(zip(images, pixels, strict=True))
        chunk = RowChunk(int(batch["chunk"]), int(batch["of"]))
        began = time.perf_counter()
        with self._watchdog.watch(max(pixels), self._expected_pace()):
            earlier = call_actor(self._task.attempts.begin, f"batch {batch['batch']}")
            if earlier > 0:
                return [self._retry(*pair, chunk) for pair in pairs]
            rows = list(map_ordered(lambda pair: self._label(*pair, chunk), pairs))
        seconds = time.perf_counter() - began
        labelled = sum(row["pixels"] for row in rows if row["state"] != FAILED)
        # what existed already took no time
        self._pace = seconds / labelled if labelled and seconds > 1 else 0.0
        return rows

    def _expected_pace(self) -> float:
        """Seconds of a pixel in the slowest batch of any worker, with this one's last."""
        pace: float = call_actor(self._task.attempts.slowest_pace, self._pace)
        if "polygons" in self._task.choices.extras:
            # Polygons take a time of their own.
            return max(pace, DEFAULT_PACE)
        return max(pace, 0.0)

    def _retry(self, image: str, pixels: int, chunk: RowChunk) -> dict[str, Any]:
        """An image of a batch that was begun before: nothing if it is done, and not for ever if it
        kills its worker.
        """
        task = self._task
        try:
            mask = self._find_mask(image)
        except PixelwiseError as error:
            return new_row(image, pixels, STOPPED, str(error))
        if mask:
            return new_row(image, pixels, DONE, mask=mask)
        what = f"{image} {chunk}"
        earlier = call_actor(task.attempts.begin, what)
        if earlier >= self.max_attempts:
            reason = (
                f"{image}: set aside, as its worker died or hung {earlier} times while it was at it"
            )
            return new_row(image, pixels, FAILED, reason)
        row = self._label(image, pixels, chunk)
        call_actor(task.attempts.end, what)
        return row

    def _find_mask(self, image: str) -> str:
        """The mask of an image that is done; empty where it is not."""
        task = self._task
        store, folder, _ = self._worker.place(image)
        is_large = ImageInfos({}).may_be_large(image)
        plain, raster = result_names(image, task.choices, task.root)
        kinds = [plain, raster] if is_large is None else [raster if is_large else plain]
        names = [name.removeprefix(folder) for name in chain(*kinds)]
        times = {folder + name: time for name, time in store.times(names).items()}
        times |= self._worker.store.times([RECIPE])
        finished = find_finished(
            {image: kinds}, task.out, times=times, inputs=task.inputs, is_same_recipe=True
        )
        return finished.get(image, "")

    def _label(self, image: str, pixels: int, chunk: RowChunk) -> dict[str, Any]:
        messages = _Messages(self._watchdog)
        began = time.perf_counter()
        try:
            if chunk.of == 1:
                labelled = self._label_image(image, messages)
            else:
                mask = self._label_and_join(image, chunk, messages)
                labelled = Labelled(mask, None, self._notes.get(image, ()) if mask else ())
        except ImageError as error:
            row = new_row(image, pixels, FAILED, str(error))
        except MemoryError:
            reason = f"{image}: {pixels} pixels do not fit a worker's memory; give workers more"
            row = new_row(image, pixels, FAILED, reason)
        except PixelwiseError as error:
            row = new_row(image, pixels, STOPPED, str(error))
        except OSError as error:
            where = f"temporary files are in {self._temp_folder.name}; what is written is kept"
            row = new_row(image, pixels, STOPPED, f"{image}: {error}; {where}")
        else:
            mask = labelled.mask
            state = DONE if mask else PART
            part = "" if mask else f"row chunk {chunk.number + 1} of {chunk.of}"
            row = new_row(
                image,
                pixels,
                state,
                part,
                mask=mask,
                notes=labelled.notes,
                counts=labelled.counts,
            )
        self._watchdog.step()
        seconds = time.perf_counter() - began
        return {**row, "seconds": seconds, "messages": "\n".join(messages.lines)}

    def _label_image(self, image: str, messages: Progress) -> Labelled:
        """Label an image. Raises ImageError."""
        labelled = self._worker.label(image, messages)
        return labelled() if callable(labelled) else labelled

    def _label_and_join(self, image: str, chunk: RowChunk, messages: Progress) -> str:
        """Label a row chunk, unless it exists; the mask's name where it was the last and all are
        joined. Raises ImageError.
        """
        task = self._task
        worker = self._worker
        chunks = ChunkStore(worker.store, image, chunk.of, task.choices, task.root)
        if not chunks.has(chunk.number):
            self._label_chunk(image, chunk, chunks)
        if call_actor(task.attempts.count_chunks, image, chunk.number) < chunk.of:
            return ""
        store, prefix, stem = worker.place(image)
        with worker.temp_directory() as copies, worker.output_folder(store) as folder:
            join_row_chunks(
                worker.predictor,
                chunks.localize(copies),
                folder / f"{stem}.tif",
                choices=task.choices,
                progress=messages,
            )
            if task.choices.overlay:
                self._write_overlay(image, folder / f"{stem}.tif")
        return f"{prefix}{stem}.tif"

    def _write_overlay(self, image: str, mask: Path) -> None:
        predictor = self._worker.predictor
        with self._worker.localize(image) as path:
            write_raster_overlay(path, mask, predictor.classes, predictor.rule)

    def _label_chunk(self, image: str, chunk: RowChunk, chunks: ChunkStore) -> None:
        """Label a row chunk of an image. Raises ImageError."""
        worker = self._worker
        summary = RasterSummary()
        with worker.localize(image) as path:
            reads_by_window(path, pixel_count(path))  # says what is missing where it does not
            worker.check_fits(path)
            with worker.output_folder(chunks.folder) as folder:
                predict_raster(
                    worker.predictor,
                    path,
                    folder,
                    stem=chunks.stem,
                    choices=self._task.choices,
                    progress=_Messages(self._watchdog),
                    chunk=chunk,
                    summary=summary,
                )
        self._notes[image] = tuple(summary.notes)


class _Messages(Progress):
    """Keeps lines for the driver to log; each step counts for the watchdog."""

    def __init__(self, watchdog: Watchdog) -> None:
        self.lines = list[str]()
        self._watchdog = watchdog

    def log(self, text: str) -> None:
        self.lines.append(text)

    def track(
        self, items: Iterable[T], *, what: str, total: int, unit: str = "images", weight: int = 1
    ) -> Iterator[T]:
        for item in items:
            self._watchdog.step(1 / total)
            yield item
        self._watchdog.step()
