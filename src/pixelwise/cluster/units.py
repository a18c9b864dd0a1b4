"""Work dealt out by pixels, so that all workers are done at about the same time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LARGEST = 32_000_000
"""Pixels of a unit at most, where it is not one image: what a worker that dies has to do again."""

MOST = 500
"""Images of a unit at most."""

PER_WORKER = 16
"""Units for each worker at least: the last one to finish is at most a sixteenth of its time behind the others."""


@dataclass(frozen=True)
class Unit:
    """Images that one worker labels in one go, with their pixels."""

    number: int
    images: tuple[str, ...]
    pixels: tuple[int, ...]

    def as_row(self) -> dict[str, object]:
        """A row of Ray Data."""
        return {"unit": self.number, "images": list(self.images), "pixels": list(self.pixels)}


def deal(images: Sequence[str], pixels: Sequence[int], *, workers: int) -> list[Unit]:
    """Each image in one unit. Those above a unit's share come first, alone, the largest before the others."""
    share = max(1, min(LARGEST, sum(pixels) // (workers * PER_WORKER)))
    pairs = list(zip(images, pixels, strict=True))
    alone = sorted((pair for pair in pairs if pair[1] > share), key=lambda pair: -pair[1])
    groups = [[pair] for pair in alone] + list(_groups([pair for pair in pairs if pair[1] <= share], share))
    return [Unit(number, *zip(*group, strict=True)) for number, group in enumerate(groups)]


def _groups(pairs: Sequence[tuple[str, int]], share: int) -> Iterator[list[tuple[str, int]]]:
    group, weight = list[tuple[str, int]](), 0
    for pair in pairs:
        if group and (weight + pair[1] > share or len(group) == MOST):
            yield group
            group, weight = [], 0
        group.append(pair)
        weight += pair[1]
    if group:
        yield group
