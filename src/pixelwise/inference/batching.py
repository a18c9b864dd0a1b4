"""Work divided by pixels, so that all workers are done at about the same time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pixelwise.inference.tiling import RowChunk

# Pixels of a batch at most, where it is not one image: what a worker that dies has to do again.
MAX_BATCH_PIXELS = 32_000_000

# Images of a batch at most.
MAX_BATCH_IMAGES = 500

# A batch is a fourth of what is left for each worker, but not below a 256th of its work: batches
# get smaller towards the end, so that all workers are done at about the same time (guided
# self-scheduling; Polychronopoulos, Kuck 1987).
BATCHES_AHEAD = 4
MAX_BATCHES_A_WORKER = 256

# Rows of tiles of a row chunk at least: the one above it is computed again.
MIN_CHUNK_ROWS = 4

WHOLE = RowChunk(0, 1)


@dataclass(frozen=True)
class Batch:
    """Images that one worker labels in one go, with their pixels; or a row chunk of one image."""

    number: int
    images: tuple[str, ...]
    pixels: tuple[int, ...]
    chunk: RowChunk = WHOLE

    def as_row(self) -> dict[str, object]:
        """A row of Ray Data."""
        return {
            "batch": self.number,
            "images": list(self.images),
            "pixels": list(self.pixels),
            "chunk": self.chunk.number,
            "of": self.chunk.of,
        }


def make_batches(images: Sequence[str], pixels: Sequence[int], *, workers: int) -> list[Batch]:
    """Each image in one batch, the largest images first. One that is above its batch's share is
    alone in it.
    """
    pairs = sorted(zip(images, pixels, strict=True), key=lambda pair: -pair[1])
    groups = (zip(*group, strict=True) for group in _groups(pairs, workers))
    return [Batch(number, names, sizes) for number, (names, sizes) in enumerate(groups)]


def split_image(image: str, pixels: int, count: int, *, number: int) -> list[Batch]:
    """A batch for each row chunk of an image, from `number` on."""
    return [
        Batch(number + chunk, (image,), (pixels // count,), RowChunk(chunk, count))
        for chunk in range(count)
    ]


def count_row_chunks(pixels: int, rows: int, *, total: int, workers: int) -> int:
    """How many row chunks an image of so many pixels and rows of tiles is worth in a job of
    `total` pixels.

    A chunk is half of what falls to a worker at most, or else, in as few rows as MIN_CHUNK_ROWS,
    all workers get equally many.
    """
    if workers == 1:
        return 1
    halves = -(-2 * pixels * workers // total)
    count = min(halves, rows // MIN_CHUNK_ROWS)
    if count > workers:
        count -= count % workers
    return max(1, count)


def next_batch_pixels(left: int, total: int, workers: int) -> int:
    """Pixels of the next batch where so many of a job's `total` are left."""
    share = left // (workers * BATCHES_AHEAD)
    least = total // (workers * MAX_BATCHES_A_WORKER)
    return max(1, min(MAX_BATCH_PIXELS, max(share, least)))


def _groups(pairs: Sequence[tuple[str, int]], workers: int) -> Iterator[list[tuple[str, int]]]:
    total = sum(size for _, size in pairs)
    left = total
    group = list[tuple[str, int]]()
    group_pixels = 0
    for pair in pairs:
        is_full = group_pixels + pair[1] > next_batch_pixels(left, total, workers)
        if group and (is_full or len(group) == MAX_BATCH_IMAGES):
            yield group
            group = []
            left -= group_pixels
            group_pixels = 0
        group.append(pair)
        group_pixels += pair[1]
    if group:
        yield group
