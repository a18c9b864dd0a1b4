"""The folder of a film's masks: one a frame, with the record that lets a stopped command go on."""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pixelwise.errors import ConfigError
from pixelwise.inference.areas import count_labels
from pixelwise.inference.default_folder import first_free
from pixelwise.inference.executor import Row
from pixelwise.inference.label_job import LabelJob, Predictions
from pixelwise.inference.manifest import DONE, new_row
from pixelwise.inference.output_folder import OutputFolder
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Result
from pixelwise.inference.result_names import result_stem
from pixelwise.inference.sources import Sources
from pixelwise.io.atomic import atomic
from pixelwise.io.frames import name_frame
from pixelwise.io.read_film import STANDARD, TICKS, FilmFrame, FilmReader
from pixelwise.io.storage import normalize_uri, open_store
from pixelwise.progress import Progress

# When each frame is shown, in seconds from the film's beginning.
TIMES = "frames.csv"
COLUMNS = ("mask", "seconds")

_MASK = re.compile(r"(\d{6,})\.png")

# Makes rows of frames by what is to be done with each and its result.
MapFrames = Callable[
    [Iterable[FilmFrame], Callable[[FilmFrame, Result], Row | None]], Iterator[Row | None]
]


def choose_film_folder(
    film: str, options: PredictOptions, recipe: Recipe | None, progress: Progress
) -> str:
    """As `choose_folder`, of a film."""
    folder = first_free(lambda name: FilmFolder(film, name, options, recipe, progress).is_free())
    progress.log(f"masks go to the folder {folder}")
    return folder


class FilmFolder:
    """What one call does in the folder `out` for the frames of `film`, which are images named as
    `parse_frame` reads them.

    Raises ConfigError for a folder that is not on disk.
    """

    def __init__(
        self,
        film: str,
        out: str,
        options: PredictOptions,
        recipe: Recipe | None,
        progress: Progress,
    ) -> None:
        store = open_store(normalize_uri(out))
        if store.local is None:
            raise ConfigError(
                f"--out {out}: the masks of a film go to a folder on disk; copy it from there"
            )
        self._film = film
        self._place = store.local
        self._options = options
        self._progress = progress
        # of frames that are still to be read nothing is known, not even how many: they are added
        # as they come
        self._sources: Sources = dict.fromkeys(self._existing(store.times()))
        self._folder = OutputFolder(
            store, list(self._sources), options, recipe, is_large=lambda _: False
        )
        is_replaced = recipe is None or recipe.overwrite
        self._cannot_go_on = film == STANDARD and bool(self._sources) and not is_replaced
        self._times = list[tuple[str, float]]()

    def is_free(self) -> bool:
        """As `OutputFolder.is_free`."""
        return not self._cannot_go_on and self._folder.is_free()

    def check(self) -> None:
        """Raises as `OutputFolder.check`, and ConfigError for standard input where there are masks
        of frames already.
        """
        self._folder.check(self._progress)
        if self._cannot_go_on:
            raise ConfigError(
                f"{self._place} has masks of frames, and which of them are of standard input is "
                "not known; give --overwrite to replace them, or another --out"
            )

    def run(
        self, reader: FilmReader, map_frames: MapFrames, class_names: tuple[str, ...]
    ) -> Predictions:
        """Label what is to be labelled and write it. Raises as `LabelJob.run`, and ImageError for a
        film without a frame.
        """
        self.check()
        job = LabelJob(self._sources, self._folder, self._progress)
        frames = reader.facts.frames
        self._folder.begin()

        def save(frame: FilmFrame, result: Result) -> Row | None:
            return None if self._name(frame.number) in job.finished else self._save(frame, result)

        rows = map_frames(self._choose(reader, job), save)
        predictions = job.run(
            filter(None, rows),
            class_names,
            what="predicting",
            total=max(0, frames - len(job.finished)),
            unit="frames",
        )
        self._write_times()
        return replace(predictions, frames=len(self._times))

    def _choose(self, reader: FilmReader, job: LabelJob) -> Iterator[FilmFrame]:
        """The frames that have no mask yet, and those whose scores are averaged with theirs."""
        reach = self._options.smooth
        before = deque[FilmFrame](maxlen=reach)
        behind = 0  # frames that are still to come behind the last one without a mask
        for frame in reader:
            height, width = frame.rgb.shape[:2]
            name = self._name(frame.number)
            self._sources[name] = height * width
            self._times.append((f"{self._stem(frame.number)}.png", frame.time / TICKS))
            if name not in job.finished:
                yield from before
                before.clear()
                yield frame
                behind = reach
            elif behind:
                yield frame
                behind -= 1
            else:
                before.append(frame)

    def _save(self, frame: FilmFrame, result: Result) -> Row:
        stem = self._stem(frame.number)
        options = self._options
        paths = result.save(
            self._place, stem, overlay=options.overlay, confidence=options.confidence
        )
        return new_row(
            self._name(frame.number),
            result.labels.size,
            DONE,
            mask=paths[0].name,
            counts=count_labels(result.labels),
        )

    def _existing(self, names: Iterable[str]) -> list[str]:
        numbers = sorted(int(match[1]) for match in map(_MASK.fullmatch, names) if match)
        return [self._name(number - 1) for number in numbers if number]

    def _name(self, number: int) -> str:
        return name_frame(Path(self._film), number)

    def _stem(self, number: int) -> str:
        return result_stem(self._name(number))

    def _write_times(self) -> None:
        with (
            atomic(self._place / TIMES) as temp_path,
            temp_path.open("w", encoding="utf-8", newline="") as file,
        ):
            table = csv.writer(file)
            table.writerow(COLUMNS)
            table.writerows((mask, f"{seconds:.6f}") for mask, seconds in self._times)
