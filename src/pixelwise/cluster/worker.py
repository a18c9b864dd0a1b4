"""What runs on the nodes: a model held once, which labels units of images as one machine does, and
a count of tries.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from pixelwise.cluster.row_chunks import ChunkStore
from pixelwise.cluster.temp_files import temp_folder
from pixelwise.cluster.watchdog import DEFAULT_PACE, Watchdog
from pixelwise.errors import ConfigError, ImageError, PixelwiseError
from pixelwise.inference.load import load
from pixelwise.inference.options import PredictOptions
from pixelwise.inference.outputs import RECIPE, find_finished, result_names
from pixelwise.inference.predict_files import Large, label_image, label_large
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.raster import check_fits_memory, predict_raster, reads_by_window
from pixelwise.inference.row_chunks import join_row_chunks
from pixelwise.inference.threads import map_ordered
from pixelwise.inference.tiling import RowChunk
from pixelwise.io.shards import extract_image, parse_slot
from pixelwise.io.storage import Store, fetch, is_uri
from pixelwise.progress import Progress

T = TypeVar("T")

MAX_ATTEMPTS = 3
"""How many workers an image may cost while it is alone in work, after the unit it was in was lost
with one, before it is set aside. Deaths while others are in work do not count, however many there
are: of a job whose workers die by chance once a minute, an image of a second is set aside once in
some 200,000 that were in work at a death.
"""

MAX_LOAD_DEATHS = 8
"""How often in a row a worker may die while it loads the model, as where machines are taken away,
before the job ends. Ray itself starts it again for ever, also where the memory never suffices.
"""

DONE = "done"
PART = "part"
FAILED = "failed"
STOPPED = "stopped"
"""What became of an image; PART: a band of it is there, and others are not. STOPPED: the whole job
cannot go on, as where the store is full.
"""


@dataclass(frozen=True)
class LabelTask:
    """What every worker needs to know.

    out: folder or address. model: the files of the model, the one to load first, in Ray's object
    store. loading: options of `load`. beside: names of images that lie in `out`. ledger: the
    Ledger's handle.
    """

    out: str
    model: Any
    loading: Mapping[str, Any]
    choices: PredictOptions
    beside: frozenset[str]
    ledger: Any


def load_predictor(model: Any, loading: Mapping[str, Any], ledger: Any) -> Predictor:
    """The model of a Pool, loaded in this process, which is ended where that takes longer than any
    step may. Raises ConfigError where that has ended this worker DEATHS times.
    """
    import ray

    what = f"loading by {ray.get_runtime_context().get_actor_id()}"
    if count_attempt(ledger, what) >= MAX_LOAD_DEATHS:
        raise ConfigError(
            f"a worker died or hung {MAX_LOAD_DEATHS} times in a row while it loaded the model; give "
            "it more memory"
        )
    with temp_folder() as folder, Watchdog().over(0):
        files = {Path(folder) / name: data for name, data in ray.get(model).items()}
        for path, data in files.items():
            path.write_bytes(data)
        found = load(next(iter(files)), **loading)
    call_actor(ledger.through, what)
    return found


def call_actor(method: Any, *given: object) -> Any:
    """What a method of an actor answers."""
    import ray

    return ray.get(method.remote(*given))


def count_attempt(ledger: Any, what: str) -> int:
    """How often `what` was begun before, in any process; it counts as begun once more from now
    on.
    """
    count: int = call_actor(ledger.before, what)
    return count


class Worker:
    """Holds the model. Called with a row of a unit it gives a row for each image, with what became
    of it.
    """

    tries = MAX_ATTEMPTS

    def __init__(self, task: LabelTask) -> None:
        self._task = task
        self._store = Store(task.out)
        self._scratch = temp_folder()
        self._predictor = load_predictor(task.model, task.loading, task.ledger)
        self._watch = Watchdog()
        self._pace = 0.0

    def __call__(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The images of a unit, side by side; one by one where a worker was lost over them
        before.
        """
        pairs = [
            (str(image), int(pixels))
            for image, pixels in zip(row["images"], row["pixels"], strict=True)
        ]
        band = RowChunk(int(row["band"]), int(row["of"]))
        ledger = self._task.ledger
        outlined = "polygons" in self._task.choices.extras  # these take a time of their own
        pace = max(call_actor(ledger.slowest, self._pace), DEFAULT_PACE * outlined)
        began = time.perf_counter()
        with self._watch.over(max(pixels for _, pixels in pairs), pace):
            if count_attempt(ledger, f"unit {row['unit']}") > 0:
                return [self._again(*pair, band) for pair in pairs]
            rows = list(map_ordered(lambda pair: self._labelled(*pair, band), pairs))
        seconds = time.perf_counter() - began
        pixels = sum(row["pixels"] for row in rows if row["state"] != FAILED)
        self._pace = (
            seconds / pixels if pixels and seconds > 1 else 0.0
        )  # what was there took no time
        return rows

    def _again(self, image: str, pixels: int, band: RowChunk) -> dict[str, Any]:
        """An image of a unit that was begun before: nothing if it is done, and not for ever if it
        kills its worker.
        """
        task = self._task
        try:
            there = self._store.times([RECIPE, *chain(*result_names(image, task.choices))])
        except PixelwiseError as error:
            return _row(image, pixels, STOPPED, str(error))
        found = find_finished(
            [image], task.out, task.choices, there=there, beside=task.beside, same=True
        )
        if found:
            return _row(image, pixels, DONE, mask=found[image])
        if (tries := count_attempt(task.ledger, what := f"{image} {band}")) >= self.tries:
            return _row(
                image,
                pixels,
                FAILED,
                f"{image}: set aside, as its worker died or hung {tries} times while it was at it",
            )
        row = self._labelled(image, pixels, band)
        call_actor(task.ledger.through, what)
        return row

    def _labelled(self, image: str, pixels: int, band: RowChunk) -> dict[str, Any]:
        said = _Lines(self._watch)
        began = time.perf_counter()
        try:
            mask = self._written(image, said) if band.of == 1 else self._joined(image, band, said)
        except ImageError as error:
            found = _row(image, pixels, FAILED, str(error))
        except MemoryError:
            found = _row(
                image,
                pixels,
                FAILED,
                f"{image}: {pixels} pixels do not fit a worker's memory; give workers more",
            )
        except PixelwiseError as error:
            found = _row(image, pixels, STOPPED, str(error))
        except OSError as error:
            where = f"temporary files are in {self._scratch.name}; what is written is kept"
            found = _row(image, pixels, STOPPED, f"{image}: {error}; {where}")
        else:
            part = "" if mask else f"band {band.number + 1} of {band.of}"
            found = _row(image, pixels, PART if part else DONE, part, mask=mask)
        self._watch.step()
        return {**found, "seconds": time.perf_counter() - began, "said": "\n".join(said.lines)}

    def _written(self, image: str, said: Progress) -> str:
        """Label an image from wherever it is to wherever results go; the mask's name. Raises
        ImageError.
        """
        with (
            TemporaryDirectory(dir=self._scratch.name) as scratch,
            _at_hand(image, Path(scratch)) as path,
        ):
            folder = self._store.local or Path(scratch) / "out"
            found = label_image(self._predictor, folder, self._task.choices, said, path)
            if isinstance(found, Large):
                self._refuse_unfitting(path)
                found = label_large(self._predictor, folder, self._task.choices, said, path)
            if isinstance(found, ImageError):
                raise found
            if self._store.local is None:
                self._store.take(sorted(folder.iterdir()))
            return found.name

    def _joined(self, image: str, band: RowChunk, said: Progress) -> str:
        """Label a band, unless it is there; the mask's name where it was the last and all are
        joined. Raises ImageError.
        """
        task = self._task
        parts = ChunkStore(self._store, image, band.of, task.choices)
        with TemporaryDirectory(dir=self._scratch.name) as scratch:
            if not parts.has(band.number):
                self._part(image, band, parts.place, Path(scratch))
            if call_actor(task.ledger.there, image, band.number) < band.of:
                return ""
            if task.choices.overlay:
                said.log(f"{image}: no overlay, as it is read by window")
            mask = (self._store.local or Path(scratch) / "out") / result_names(image, task.choices)[
                1
            ][0]
            join_row_chunks(
                self._predictor,
                parts.at_hand(Path(scratch)),
                mask,
                choices=task.choices,
                progress=said,
            )
            if self._store.local is None:
                self._store.take(sorted(mask.parent.iterdir()))
            return mask.name

    def _part(self, image: str, band: RowChunk, place: Store, scratch: Path) -> None:
        """Label a band of an image, from wherever it is to `place`. Raises ImageError."""
        folder = place.local or scratch / "part"
        silent = _Lines(self._watch)
        with _at_hand(image, scratch) as path:
            reads_by_window(path)  # says what is missing where it does not
            self._refuse_unfitting(path)
            predict_raster(
                self._predictor,
                path,
                folder,
                choices=self._task.choices,
                progress=silent,
                band=band,
            )
        if place.local is None:
            place.take(sorted(folder.iterdir()))

    def _refuse_unfitting(self, path: Path) -> None:
        """Raises ImageError for a picture that is too large for what is asked of all: the others
        may not be.
        """
        try:
            check_fits_memory(self._predictor, path, self._task.choices)
        except ConfigError as error:
            raise ImageError(f"{path}: {error}") from error


@contextmanager
def _at_hand(image: str, folder: Path) -> Iterator[Path]:
    """The image as a file: itself, or a copy in `folder`, of which an ImageError in the block
    speaks as of the image. Raises ImageError.
    """
    if slot := parse_slot(image):
        path = extract_image(slot, folder)
    else:
        path = fetch(image, folder) if is_uri(image) else Path(image)
    try:
        yield path
    except ImageError as error:
        raise ImageError(str(error).replace(str(path), image)) from error


class _Lines(Progress):
    """Keeps what is said, for the driver to say; each step counts for the watch."""

    def __init__(self, watch: Watchdog) -> None:
        self.lines = list[str]()
        self._watch = watch

    def log(self, text: str) -> None:
        self.lines.append(text)

    def track(
        self, items: Iterable[T], *, what: str, total: int, unit: str = "images", weight: int = 1
    ) -> Iterator[T]:
        for item in items:
            self._watch.step(1 / total)
            yield item
        self._watch.step()


def _row(
    image: str, pixels: int, state: str, reason: str = "", *, mask: str = ""
) -> dict[str, Any]:
    return {
        "image": image,
        "state": state,
        "mask": mask,
        "reason": reason,
        "pixels": pixels,
        "seconds": 0.0,
        "said": "",
    }
