"""What reading did to pictures beyond decoding them: a sentence each, counted over many."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

LEAD = "how the pictures were read"


@dataclass(frozen=True, slots=True, repr=False)
class ReadingNote:
    """One thing that was done to a picture.

    type: its name among the types of issues. what: which pictures it is done to, "{highest}"
    stands for their greatest value; empty for what need not be said. done: what is done to them.
    The words go on behind a number: "3 WHAT are DONE". bits: the depth by which values of more
    than 8 bits are read, 0 for others and where it is not of a standard.
    """

    type: str
    what: str = ""
    done: str = ""
    highest: int = 0
    bits: int = 0

    def __repr__(self) -> str:
        return f"<{self.type}: {self}>"

    def __str__(self) -> str:
        return f"{self.what.format(highest=self.highest)}, {self.done}" if self.what else ""


ReadingNotes = tuple[ReadingNote, ...]


class ReadingSummary:
    """Notes of many pictures, counted by kind."""

    def __init__(self) -> None:
        self._counts = Counter[tuple[str, str]]()
        self._highest = dict[tuple[str, str], int]()

    def add(self, notes: Iterable[ReadingNote]) -> None:
        """Count the notes of one picture."""
        for note in notes:
            if not note.what:
                continue
            kind = (note.what, note.done)
            self._counts[kind] += 1
            self._highest[kind] = max(note.highest, self._highest.get(kind, 0))

    def merge(self, other: "ReadingSummary") -> None:
        """Count the pictures of `other` too."""
        self._counts.update(other._counts)
        for kind, highest in other._highest.items():
            self._highest[kind] = max(highest, self._highest.get(kind, 0))

    def line(self) -> str:
        """All kinds, the most frequent first; empty where there is nothing to say."""
        parts = []
        for kind, count in self._counts.most_common():
            what, done = kind
            pictures = what.format(highest=self._highest[kind])
            parts.append(f"{count} {pictures} {'is' if count == 1 else 'are'} {done}")
        return f"{LEAD}: {'; '.join(parts)}" if parts else ""


def summarize_notes(pictures: Iterable[Iterable[ReadingNote]]) -> str:
    """The line of the notes of several pictures; empty where there is nothing to say."""
    summary = ReadingSummary()
    for notes in pictures:
        summary.add(notes)
    return summary.line()


def encode_notes(notes: Iterable[ReadingNote]) -> str:
    """Notes as JSON, for rows and tables."""
    rows = [[note.type, note.what, note.done, note.highest, note.bits] for note in notes]
    return json.dumps(rows) if rows else ""


def decode_notes(text: str) -> ReadingNotes:
    """The notes of `encode_notes`."""
    return tuple(ReadingNote(*row) for row in json.loads(text or "[]"))
