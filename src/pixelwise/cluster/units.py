"""Work dealt out by pixels, so that all workers are done at about the same time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LARGEST = 32_000_000
"""Pixels of a unit at most, where it is not one image: what a worker that dies has to do again."""

MOST = 500
"""Images of a unit at most."""

PART, LAST = 4, 256
"""A unit is a fourth of what is left for each worker, but not below a 256th of its work: units get smaller towards
the end, so that all workers are done at about the same time (guided self-scheduling; Polychronopoulos, Kuck 1987).
"""


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
    """Each image in one unit, the largest images first. One that is above its unit's share is alone in it."""
    pairs = sorted(zip(images, pixels, strict=True), key=lambda pair: -pair[1])
    return [Unit(number, *zip(*group, strict=True)) for number, group in enumerate(_groups(pairs, workers))]


def share(left: int, total: int, workers: int) -> int:
    """Pixels of the next unit where so many of a job's `total` are left."""
    return max(1, min(LARGEST, max(left // (workers * PART), total // (workers * LAST))))


def _groups(pairs: Sequence[tuple[str, int]], workers: int) -> Iterator[list[tuple[str, int]]]:
    total = left = sum(size for _, size in pairs)
    group, weight = list[tuple[str, int]](), 0
    for pair in pairs:
        if group and (weight + pair[1] > share(left, total, workers) or len(group) == MOST):
            yield group
            group, left, weight = [], left - weight, 0
        group.append(pair)
        weight += pair[1]
    if group:
        yield group
