"""A call that labels many images: what needs work, what became of it, and what is written at the
end. Threads and clusters run it alike.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.errors import ConfigError, OutputError
from pixelwise.inference.areas import describe_shares
from pixelwise.inference.count_scores import read_count_intervals
from pixelwise.inference.cutouts import CutoutRules
from pixelwise.inference.executor import Row
from pixelwise.inference.manifest import DONE, PART, STOPPED
from pixelwise.inference.objects import find_thin
from pixelwise.inference.output_folder import OutputFolder, is_on_disk
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.regions import TOO_LARGE, class_ids
from pixelwise.inference.sources import Sources
from pixelwise.io.images import MAX_PIXELS
from pixelwise.io.reading_notes import ReadingSummary, decode_notes
from pixelwise.optional import require_package
from pixelwise.progress import Progress

# A path, or a URI.
Location = Path | str


@dataclass(frozen=True)
class Predictions:
    """The masks that were written, the images whose masks existed already, those that could not be
    read with the reason, what reading did to the others, as a line, and the shares of the classes
    in the masks that were written, as a line; empty for nothing. folder: where the masks lie.
    objects: how many of each class, as a line, where they were asked for. frames: of a film, how
    many were read. annotations: lines on what was written for an annotation tool.
    """

    written: tuple[Location, ...] = ()
    skipped: tuple[Location, ...] = ()
    failed: tuple[tuple[Location, str], ...] = ()
    reading: str = ""
    shares: str = ""
    folder: str = ""
    objects: str = ""
    frames: int = 0
    annotations: tuple[str, ...] = ()


class LabelJob:
    """What a call does with `sources`, which are images with their pixels as far as known.

    finished: images that need no work, with their masks. todo: the others. masks: of all images
    that have one. Raises as `OutputFolder.find_finished`.
    """

    def __init__(self, sources: Sources, folder: OutputFolder, progress: Progress) -> None:
        self._sources = sources
        self._folder = folder
        self._progress = progress
        self.finished = folder.find_finished()
        self.masks = dict(self.finished)
        self.todo = {
            image: pixels for image, pixels in sources.items() if image not in self.finished
        }

    @property
    def skipped(self) -> tuple[Location, ...]:
        """The images that need no work."""
        return tuple(_location(image) for image in self.finished)

    def run(
        self,
        rows: Iterable[Row],
        class_names: tuple[str, ...],
        *,
        what: str,
        total: int,
        unit: str = "images",
    ) -> Predictions:
        """Take up the rows of an executor as they come; `sources` may grow meanwhile. Raises
        OutputError where the job cannot go on; what is written and recorded stays.
        """
        failed = dict[str, str]()
        settled = set[str]()
        reading = ReadingSummary()
        pixels = np.zeros(256, np.int64)
        is_counted = True  # a picture that several workers share is not
        try:
            for row in self._progress.track(rows, what=what, total=total, unit=unit):
                image = row["image"]
                if image in settled:  # another row chunk of an image that is done or failed
                    continue
                check_stopped(row)
                for line in filter(None, row["messages"].split("\n")):
                    self._progress.log(line)
                if row["state"] == DONE:
                    self.masks[image] = row["mask"]
                    reading.add(decode_notes(row["notes"]))
                    is_counted &= bool(row["counts"])
                    pixels += np.array(json.loads(row["counts"] or "0"), np.int64)
                elif row["state"] != PART:
                    self._progress.log(f"skipped: {row['reason']}")
                    failed[image] = row["reason"]
                if row["state"] != PART:
                    settled.add(image)
                self._folder.record(row)
            self._folder.record_earlier(self._sources)
        finally:
            self._folder.close()
        if reading.line():
            self._progress.log(reading.line())
        in_order = [self.masks[image] for image in self._sources if image in self.masks]
        objects = self._folder.write_tables(in_order, class_names, self._progress.log)
        shares = describe_shares(pixels, class_names) if is_counted else ""
        return self._predictions(failed, reading.line(), shares, objects)

    def _predictions(
        self,
        failed: Mapping[str, str],
        reading: str,
        shares: str,
        objects: str,
    ) -> Predictions:
        store = self._folder.store
        written = [mask for image, mask in self.masks.items() if image not in self.finished]
        return Predictions(
            tuple(Path(store.at(mask)) if store.local else store.at(mask) for mask in written),
            self.skipped,
            tuple((_location(image), reason) for image, reason in failed.items()),
            reading,
            shares,
            str(store.root),
            objects,
        )


def check_stopped(row: Row) -> None:
    """Raises OutputError where a worker says that the job cannot go on."""
    if row["state"] == STOPPED:
        raise OutputError(f"{row['reason']} (reported by a worker)")


def check_options(
    options: PredictOptions,
    names: Sequence[str],
    images: Iterable[tuple[Path | str, int | None]],
) -> None:
    """Raises ConfigError for what would stop the run at some image, before the recipe is replaced:
    names of the model's classes, and images with their pixels, which are read where it matters.
    """
    class_ids(names, options.largest)
    find_thin(names, options.thin)
    if "cutouts" in options.extras:
        CutoutRules(options.foreground, options.background, options.crop).check(names)
    if options.split_touching or options.thin:
        require_package("skimage.segmentation")
    if options.object_scores:
        read_count_intervals(Path(options.object_scores), split=options.split_touching)
    if options.smallest > 1 or "polygons" in options.extras:
        require_package("rasterio.features")
    if options.needs_whole:
        for image, pixels in images:
            if (pixels or 0) > MAX_PIXELS:
                raise ConfigError(f"{image}: {TOO_LARGE}")


def _location(image: str) -> Location:
    return Path(image) if is_on_disk(image) else image
