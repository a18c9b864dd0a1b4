"""One project while it is open: requests become lines of the journal, and labels, and masks."""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any

from pixelwise.classes import Labels
from pixelwise.errors import DataError, ImageError
from pixelwise.io.atomic import write_text
from pixelwise.labelling.class_list import ClassList, check_colour, choose_colour
from pixelwise.labelling.dataset import remove_photo, write_classes, write_photo
from pixelwise.labelling.journal import FILE_NAME, FORMAT_VERSION, Journal
from pixelwise.labelling.photos import Photo, Photos, digest_file, stamp
from pixelwise.labelling.project import PhotoRecord, Project
from pixelwise.labelling.rasterise import Box
from pixelwise.labelling.strokes import Stroke

# Which masks are on the disk as the journal has them.
# hidden, as it says nothing of the data
MANIFEST = ".label.json"
# Photos whose labels are held in memory.
_MAX_LABELS = 8

Listener = Callable[[str, int, Stroke | None], None]
"""Hears of (photo, number of the entry, the stroke if one was added)."""


class Session:
    """The project in `folder`, of `photos`. Whoever makes one holds the folder's lock."""

    def __init__(self, folder: Path, photos: Photos, *, copy: bool = False) -> None:
        self.folder = folder
        self.photos = photos
        self.copy = copy
        self.lock = RLock()
        self.journal = Journal(folder / FILE_NAME)
        self.project = Project(self.journal.entries)
        self.journal.entries = []  # their strokes are in the project
        self.listeners = list[Listener]()
        self._labels = OrderedDict[str, tuple[int, Labels]]()
        self._written = _read_manifest(folder)
        self._checked: dict[str, tuple[int, int]] = {}

    @property
    def classes(self) -> ClassList:
        """The classes as they are now."""
        return self.project.classes

    @property
    def version(self) -> int:
        """Grows with everything that happens."""
        return self.journal.length

    def begin(self, classes: ClassList, source: Mapping[str, Any]) -> None:
        """Write the first line of a new journal."""
        rows = [[key, name, classes.colours[key]] for key, name in classes.names.items()]
        entry = {"version": FORMAT_VERSION, "classes": rows, "source": dict(source)}
        self._record("begin", entry)
        write_classes(self.folder, self.classes)

    def has_done(self, id: str) -> bool:
        """Whether an act of that id is in the journal: a page that lost the answer asks again."""
        return bool(id) and id in self.project.ids

    def size(self, name: str) -> tuple[int, int]:
        """(height, width) of a photo as it is painted on. Raises as `check_unchanged`."""
        return self.check_unchanged(name).size

    def check_unchanged(self, name: str) -> PhotoRecord:
        """The record of a photo, made if there is none yet; what it has refers to the file of that
        time. Raises ImageError for another one, and for one that is gone.
        """
        record = self.project.photos.get(name)
        path = self.photos.paths[name]
        if record is None:
            photo = self.photos.open(name)
            return PhotoRecord(photo.size, photo.digest)
        now = stamp(path)
        if self._checked.get(name) != now:
            if digest_file(path) != record.digest:
                raise ImageError.of_file(
                    path,
                    "is another picture than the one that was painted on",
                    "put that one back, or give this one another name, under which it is new; what "
                    "was painted is kept",
                )
            self._checked[name] = now
        return record

    def open(self, name: str) -> Photo:
        """The pixels of a photo. Raises as `check_unchanged`, and ImageError for what cannot be
        read.
        """
        self.check_unchanged(name)
        return self.photos.open(name)

    def labels(self, name: str) -> Labels:
        """The labels (H, W) of a photo by class key, merged ones as what they became; not to be
        changed.
        """
        with self.lock:
            labels = self.unmerged_labels(name)
            return self.classes.table()[labels] if self.classes.merged else labels

    def unmerged_labels(self, name: str) -> Labels:
        """The labels (H, W) of a photo as they were painted; not to be changed."""
        with self.lock:
            return self._drawn(name, self.project.photos.get(name) or self.check_unchanged(name))

    def _drawn(self, name: str, record: PhotoRecord) -> Labels:
        """Its labels before merging, of memory where they are there."""
        number, labels = self._labels.get(name, (None, None))
        if labels is None or number != record.last:
            labels = record.draw()
        self._hold(name, record.last, labels)
        return labels

    def _hold(self, name: str, number: int, labels: Labels) -> None:
        self._labels[name] = (number, labels)
        self._labels.move_to_end(name)
        while len(self._labels) > _MAX_LABELS:
            self._labels.popitem(last=False)

    def add(self, name: str, stroke: Stroke, id: str = "") -> tuple[int, Box]:
        """Keep a stroke, and the id of the act; returns its number, and the window of labels that
        it changed.

        Raises OutputError where the journal cannot be written: nothing has changed then.
        """
        with self.lock:
            record = self.check_unchanged(name)
            if name not in self.project.photos:
                height, width = record.size
                entry = {"photo": name, "height": height, "width": width, "digest": record.digest}
                self._record("photo", entry)
                record = self.project.photos[name]
            labels = self._drawn(name, record)
            number = self._record("stroke", {"photo": name, **stroke.to_json()}, id)
            box = stroke.paint(labels)
            self._hold(name, number, labels)
        self._notify(name, number, stroke)
        return number, box

    def undo(self, name: str, id: str = "") -> bool:
        """Take back the last stroke of a photo; False where there is none."""
        with self.lock:
            record = self.project.photos.get(name)
            active = list(record.active) if record else []
            if not active:
                return False
            number = self._record("undo", {"photo": name, "stroke": active[-1]}, id)
        self._notify(name, number, None)
        return True

    def redo(self, name: str, id: str = "") -> bool:
        """Do again what was taken back last; False where there is none."""
        with self.lock:
            record = self.project.photos.get(name)
            if record is None or not record.undone:
                return False
            number = self._record("redo", {"photo": name, "stroke": record.undone[-1]}, id)
        self._notify(name, number, None)
        return True

    def add_class(self, name: object, colour: object = None) -> int:
        """Add a class; returns its key. Raises DataError for a name or colour that cannot be."""
        with self.lock:
            key = self.classes.next_key
            chosen = choose_colour(key) if colour is None else check_colour(colour)
            self._change_class(key, self.classes.check_name(name), chosen)
            return key

    def change_class(self, key: int, name: object = None, colour: object = None) -> None:
        """Rename or recolour a class. Raises DataError as `add_class`."""
        with self.lock:
            self._check_key(key)
            text = self.classes.names[key] if name is None else self.classes.check_name(name, key)
            chosen = self.classes.colours[key] if colour is None else check_colour(colour)
            self._change_class(key, text, chosen)

    def merge_classes(self, source: int, target: int) -> None:
        """Make one class of two. Raises DataError where fewer than two would be left."""
        with self.lock:
            self._check_key(source)
            self._check_key(target)
            if source == target:
                raise DataError("a class cannot be merged with itself: choose another")
            if len(self.classes.names) <= 2:
                raise DataError("two classes are the least: add another one before you merge these")
            self._forget_written()
            self._record("merge", {"from": source, "into": target})
            write_classes(self.folder, self.classes)
        self._notify("", self.version, None)

    def part_class(self, key: int) -> None:
        """Make a class of its own again of one that was merged into another. Raises DataError
        where it was not, and where its name is taken by now.
        """
        with self.lock:
            if key not in self.classes.merged:
                raise DataError("the class was not merged; load the page again")
            self.classes.check_name(self.classes.former[key][0])
            self._forget_written()
            self._record("part", {"key": key})
            write_classes(self.folder, self.classes)
        self._notify("", self.version, None)

    def _change_class(self, key: int, name: str, colour: tuple[int, int, int]) -> None:
        if colour != self.classes.colours.get(key, colour):
            self._forget_written()  # masks have it in their palettes
        self._record("class", {"key": key, "name": name, "colour": list(colour)})
        write_classes(self.folder, self.classes)
        self._notify("", self.version, None)

    def _check_key(self, key: int) -> None:
        if key not in self.classes.names:
            raise DataError("there is no such class any more; load the page again")

    def write_masks(self) -> None:
        """Write every mask that is not yet as the journal has it. Raises OutputError."""
        for name in list(self.project.photos):
            with self.lock:
                record = self.project.photos[name]
                if self._written.get(name) == record.last or name not in self.photos.paths:
                    continue
                last = record.last
                labels = self._labels_to_write(name, record)
            if labels is None:
                remove_photo(self.folder, name)
            else:
                source = self.photos.paths[name]
                write_photo(self.folder, name, source, labels, self.classes, copy=self.copy)
            self._written[name] = last
            _write_manifest(self.folder, self._written)

    def _labels_to_write(self, name: str, record: PhotoRecord) -> Labels | None:
        """A copy of the labels; None where there are none, or no photo that they belong to."""
        if not record.active:
            return None
        try:
            self.check_unchanged(name)
        except ImageError:
            return None
        return self.labels(name).copy()

    def _forget_written(self) -> None:
        """All masks are to be written again, also by the next process if this one is killed."""
        self._written = {}
        _write_manifest(self.folder, self._written)

    def _record(self, kind: str, entry: Mapping[str, Any], id: str = "") -> int:
        line = {"kind": kind, **entry, "time": round(time.time(), 1)}
        if id:
            line["id"] = id
        number = self.journal.append(line)
        self.project.apply(number, line)
        return number

    def _notify(self, name: str, number: int, stroke: Stroke | None) -> None:
        for listener in self.listeners:
            listener(name, number, stroke)

    def close(self) -> None:
        """Write what is left to write, and let the journal go."""
        try:
            self.write_masks()
        finally:
            self.journal.close()


def _read_manifest(folder: Path) -> dict[str, int]:
    try:
        written = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["written"]
        return {str(name): int(number) for name, number in written.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # all masks are written again


def _write_manifest(folder: Path, written: Mapping[str, int]) -> None:
    write_text(folder / MANIFEST, json.dumps({"written": written}, indent=1) + "\n")
