"""What the journal says, added up: the classes, and the strokes of each photo."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixelwise.classes import Labels
from pixelwise.labelling.class_list import ClassList
from pixelwise.labelling.strokes import UNLABELLED, Stroke


@dataclass
class PhotoRecord:
    """What was done to one photo, and how it was when that began.

    size: (height, width). digest: SHA-256 of its file. strokes by their number in the journal, in
    order; `undone` are the numbers of those taken back, the next to be redone last. `last` is the
    number of the newest entry on it.
    """

    size: tuple[int, int]
    digest: str
    strokes: dict[int, Stroke] = field(default_factory=dict)
    undone: list[int] = field(default_factory=list)
    last: int = 0

    @property
    def active(self) -> dict[int, Stroke]:
        """The strokes that are not taken back, in order."""
        hidden = set(self.undone)
        return {number: item for number, item in self.strokes.items() if number not in hidden}

    @property
    def is_accepted(self) -> bool:
        """Whether it counts as wholly labelled."""
        return any(stroke.tool in ("accept", "import") for stroke in self.active.values())

    def draw(self) -> Labels:
        """Its labels (H, W) by class key, before merging; a new array."""
        labels = np.full(self.size, UNLABELLED, np.uint8)
        for stroke in self.active.values():
            stroke.paint(labels)
        return labels


class Project:
    """The state that follows from a journal's entries; `ids` are those that pages gave their
    acts.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any]] = ()) -> None:
        self.classes = ClassList()
        self.photos: dict[str, PhotoRecord] = {}
        self.source: dict[str, Any] = {}
        self.ids: set[str] = set()
        for number, entry in enumerate(entries):
            self.apply(number, entry)

    def apply(self, number: int, entry: Mapping[str, Any]) -> None:
        """Take one entry in; kinds that a later version writes are passed over."""
        if "id" in entry:
            self.ids.add(entry["id"])
        act = getattr(self, f"_apply_{entry['kind']}", None)
        if act is not None:
            act(number, entry)

    def _apply_begin(self, _: int, entry: Mapping[str, Any]) -> None:
        self.source = dict(entry.get("source", {}))
        for key, name, colour in entry["classes"]:
            self.classes.set(key, name, tuple(colour))

    def _apply_class(self, _: int, entry: Mapping[str, Any]) -> None:
        self.classes.set(entry["key"], entry["name"], tuple(entry["colour"]))

    def _apply_merge(self, _: int, entry: Mapping[str, Any]) -> None:
        self.classes.merge(entry["from"], entry["into"])

    def _apply_part(self, _: int, entry: Mapping[str, Any]) -> None:
        self.classes.part(entry["key"])

    def _apply_photo(self, number: int, entry: Mapping[str, Any]) -> None:
        size = (entry["height"], entry["width"])
        self.photos[entry["photo"]] = PhotoRecord(size, entry["digest"], last=number)

    def _apply_stroke(self, number: int, entry: Mapping[str, Any]) -> None:
        record = self.photos[entry["photo"]]
        for hidden in record.undone:  # a new stroke ends what could be redone
            del record.strokes[hidden]
        record.undone.clear()
        record.strokes[number] = Stroke.from_json(entry)
        record.last = number

    def _apply_undo(self, number: int, entry: Mapping[str, Any]) -> None:
        record = self.photos[entry["photo"]]
        record.undone.append(entry["stroke"])
        record.last = number

    def _apply_redo(self, number: int, entry: Mapping[str, Any]) -> None:
        record = self.photos[entry["photo"]]
        record.undone.remove(entry["stroke"])
        record.last = number
