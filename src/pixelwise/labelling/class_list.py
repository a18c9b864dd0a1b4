"""The classes while one works: added, renamed, recoloured and merged.

A class has a key that it keeps for ever; its id in the masks is its place among those that are
left.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixelwise.classes import VOID, Classes, Colour, Labels
from pixelwise.errors import DataError
from pixelwise.labelling.strokes import MAX_CLASSES
from pixelwise.palette import CLASS_COLOURS

MAX_NAME = 80


@dataclass
class ClassList:
    """Names and colours by key, in order, what merged classes became, and what they were."""

    names: dict[int, str] = field(default_factory=dict)
    colours: dict[int, Colour] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)
    former: dict[int, tuple[str, Colour]] = field(default_factory=dict)

    def set(self, key: int, name: str, colour: Colour) -> None:
        """Add a class, or change one."""
        self.names[key] = name
        self.colours[key] = colour

    def merge(self, source: int, target: int) -> None:
        """Whatever is labelled `source` is `target` from now on, and was before."""
        self.former[source] = (self.names.pop(source), self.colours.pop(source))
        self.merged[source] = target

    def part(self, key: int) -> None:
        """Take a merge back: a class is one of its own again, in its place among the others."""
        del self.merged[key]
        name, colour = self.former.pop(key)
        self.set(key, name, colour)
        self.names = dict(sorted(self.names.items()))

    @property
    def next_key(self) -> int:
        """The key of a class that is added. Raises DataError where all are used."""
        key = max((*self.names, *self.merged), default=-1) + 1
        if key >= MAX_CLASSES:
            raise DataError(f"there were {MAX_CLASSES} classes already: no more can be added")
        return key

    def as_classes(self) -> Classes:
        """As a data set has them: ids by the order here."""
        return Classes(tuple(self.names.values()), tuple(self.colours.values()))

    def table(self) -> Labels:
        """What each label is after all merging, (256,): keys that are left, VOID, UNLABELLED."""
        table = np.arange(256, dtype=np.uint8)
        for source in self.merged:
            target = source
            while target in self.merged:
                target = self.merged[target]
            table[source] = target
        return table

    def ids(self) -> Labels:
        """The class id of each label, (256,): VOID for void and what is not labelled."""
        places = {key: place for place, key in enumerate(self.names)}
        table = self.table()
        ids = np.full(256, VOID, np.uint8)
        for label in range(MAX_CLASSES):
            ids[label] = places.get(int(table[label]), VOID)
        return ids

    def check_name(self, name: Any, key: int | None = None) -> str:
        """A name for a class, or for the one of `key`. Raises DataError for one that cannot be."""
        text = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
        if not text:
            raise DataError("a class needs a name")
        if len(text) > MAX_NAME:
            raise DataError(f"the name has {len(text)} characters: at most {MAX_NAME} are allowed")
        if not all(part.isprintable() or part in "\u200c\u200d\u200e\u200f" for part in text):
            raise DataError("the name holds control characters: leave them out")
        for other, taken in self.names.items():
            if other != key and taken.casefold() == text.casefold():
                raise DataError(
                    f"there is a class '{taken}' already: choose another name, or merge"
                )
        return text


def first_classes(names: Sequence[str], colours: Sequence[Colour] = ()) -> ClassList:
    """The classes that a project begins with. Raises DataError for fewer than two, too many, and
    for a name that cannot be.
    """
    classes = ClassList()
    if len(names) < 2:
        raise DataError(
            f"{len(names)} class{'' if len(names) == 1 else 'es'}: a model needs two to tell "
            "apart, such as --classes background,cell"
        )
    if len(names) > MAX_CLASSES:
        raise DataError(f"{len(names)} classes; allowed are 2 to {MAX_CLASSES} while labelling")
    for key, name in enumerate(names):
        colour = colours[key] if colours else choose_colour(key)
        classes.set(key, classes.check_name(name), colour)
    return classes


def choose_colour(key: int) -> Colour:
    """The colour of a class that nobody gave one."""
    return CLASS_COLOURS[key % len(CLASS_COLOURS)]


def check_colour(colour: Any) -> Colour:
    """A colour of a request. Raises DataError for what is none."""
    is_triple = isinstance(colour, list | tuple) and len(colour) == 3
    if is_triple and all(isinstance(part, int) and 0 <= part <= 255 for part in colour):
        red, green, blue = colour
        return red, green, blue
    raise DataError(f"colour is {str(colour)[:40]}: allowed are three whole numbers from 0 to 255")
