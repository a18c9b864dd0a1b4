"""Work dealt out by pixels, so that all workers are done at about the same time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pixelwise.inference.tiling import RowChunk

MAX_BATCH_PIXELS = 32_000_000
"""Pixels of a unit at most, where it is not one image: what a worker that dies has to do again."""

MAX_BATCH_IMAGES = 500
"""Images of a unit at most."""

BATCHES_AHEAD = 4
MAX_BATCHES_A_WORKER = 256
"""A unit is a fourth of what is left for each worker, but not below a 256th of its work: units get
smaller towards the end, so that all workers are done at about the same time (guided
self-scheduling; Polychronopoulos, Kuck 1987).
"""


MIN_CHUNK_ROWS = 4
"""Rows of tiles of a band at least: the one above it is computed again."""


WHOLE = RowChunk(0, 1)


@dataclass(frozen=True)
class Batch:
    """Images that one worker labels in one go, with their pixels; or a band of one image."""

    number: int
    images: tuple[str, ...]
    pixels: tuple[int, ...]
    band: RowChunk = WHOLE

    def as_row(self) -> dict[str, object]:
        """A row of Ray Data."""
        return {
            "unit": self.number,
            "images": list(self.images),
            "pixels": list(self.pixels),
            "band": self.band.number,
            "of": self.band.of,
        }


def make_batches(images: Sequence[str], pixels: Sequence[int], *, workers: int) -> list[Batch]:
    """Each image in one unit, the largest images first. One that is above its unit's share is alone
    in it.
    """
    pairs = sorted(zip(images, pixels, strict=True), key=lambda pair: -pair[1])
    groups = (zip(*group, strict=True) for group in _groups(pairs, workers))
    return [Batch(number, names, sizes) for number, (names, sizes) in enumerate(groups)]


def split_image(image: str, pixels: int, of: int, *, number: int) -> list[Batch]:
    """A unit for each band of an image, from `number` on."""
    return [
        Batch(number + band, (image,), (pixels // of,), RowChunk(band, of)) for band in range(of)
    ]


def count_row_chunks(pixels: int, rows: int, *, total: int, workers: int) -> int:
    """How many bands an image of so many pixels and rows of tiles is worth in a job of `total`
    pixels.

    A band is half of what falls to a worker at most, or else, in as few rows as ROWS, all workers
    get equally many.
    """
    if workers == 1:
        return 1
    found = min(-(-2 * pixels * workers // total), rows // MIN_CHUNK_ROWS)
    return max(1, found - found % workers if found > workers else found)


def next_batch_pixels(left: int, total: int, workers: int) -> int:
    """Pixels of the next unit where so many of a job's `total` are left."""
    return max(
        1,
        min(
            MAX_BATCH_PIXELS,
            max(left // (workers * BATCHES_AHEAD), total // (workers * MAX_BATCHES_A_WORKER)),
        ),
    )


def _groups(pairs: Sequence[tuple[str, int]], workers: int) -> Iterator[list[tuple[str, int]]]:
    total = left = sum(size for _, size in pairs)
    group = list[tuple[str, int]]()
    weight = 0
    for pair in pairs:
        if group and (
            weight + pair[1] > next_batch_pixels(left, total, workers)
            or len(group) == MAX_BATCH_IMAGES
        ):
            yield group
            group = []
            left = left - weight
            weight = 0
        group.append(pair)
        weight += pair[1]
    if group:
        yield group
