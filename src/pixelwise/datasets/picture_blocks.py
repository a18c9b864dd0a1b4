"""A set of one picture with its labels: cut in blocks, some of which are held out."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.datasets.mask_reader import LabelReader, index_lut
from pixelwise.datasets.options import DataOptions
from pixelwise.datasets.splits import hold_out
from pixelwise.datasets.types import DataSet, Pair
from pixelwise.errors import DataError, OutputError
from pixelwise.io.atomic import atomic_folder
from pixelwise.io.band_files import read_bands, write_bands
from pixelwise.io.band_layout import is_banded
from pixelwise.io.cache import cache_folder
from pixelwise.io.images import Array, read_picture, write_image, write_labels

# So many blocks are aimed at: with fewer, those that are held out show little of what there is.
_BLOCKS = 24
_LARGEST = 1024
_SMALLEST = 32
_USUAL_SMALLEST = 128
# Blocks with labels that a split needs.
_ENOUGH = 4
# The share of a block's side that lies between what is validated and what is trained on.
_MARGIN = 16
_DRAWS = 64


@dataclass(frozen=True)
class _Block:
    """A rectangle of the picture, in pixels, and the pixels (C,) of each class in it."""

    rows: slice
    columns: slice
    counts: NDArray[np.int64]

    @property
    def place(self) -> str:
        """Its upper left corner, as in y512_x0."""
        return f"y{self.rows.start}_x{self.columns.start}"


def is_one_picture(splits: dict[str, tuple[Pair, ...]], options: DataOptions) -> bool:
    """Whether a set has a single pair, of which a part is to be held out."""
    return options.hold_out and set(splits) == {"train"} and len(splits["train"]) == 1


def cut_blocks(dataset: DataSet, options: DataOptions) -> DataSet:
    """The data set whose only pair is cut in blocks, `options.val_fraction` of which are val.

    Blocks do not overlap, and those of val keep a margin to all others, so that no sample of a
    training shows a pixel that is validated. They are drawn so that both splits show the classes,
    where that is possible; which they are follows from seed, size and labels alone. Blocks without
    a label are left out. They are kept as files in the cache folder. A picture that is too small
    stays whole, and a note says so. Raises DataError for one of another size than its labels,
    ImageError for one that cannot be read.
    """
    pair = dataset.splits["train"][0]
    labels = dataset.read_labels(pair.mask)
    blocks, side = _plan_blocks(labels, len(dataset.classes))
    if len(blocks) < 2:
        note = "val: none, as the only image, or what is labelled of it, is too small to be cut"
        return replace(dataset, notes=(*dataset.notes, note))
    margin = max(1, side // _MARGIN)
    train, val = _draw_split(pair.name, blocks, options)
    rectangles = {
        "train": [(block.rows, block.columns) for block in train],
        "val": [_shrink(block, margin, labels.shape) for block in val],
    }
    folder = _write_blocks(dataset, pair, labels, rectangles)
    suffix = _block_suffix(pair.image)
    splits = {
        split: tuple(
            Pair(name, folder / f"{name}{suffix}", folder / f"{name}_labels.png")
            for name in (f"{pair.name}_y{rows.start}_x{columns.start}" for rows, columns in parts)
        )
        for split, parts in rectangles.items()
    }
    note = (
        f"one picture, {pair.image.name} of {_size(labels)} pixels, in blocks of about {side}: "
        f"train {len(train)}, val {len(val)} ({100 * options.val_fraction:g} %, seed "
        f"{options.seed}), {margin} pixels apart"
    )
    reader = LabelReader(len(dataset.classes), index_lut(len(dataset.classes)))
    notes = (*dataset.notes, note)
    return replace(dataset, splits=splits, read_labels=reader, notes=notes, sources=(), whole=pair)


def _plan_blocks(labels: Array, classes: int) -> tuple[list[_Block], int]:
    """The blocks of `labels` (H, W) that have any, and about which side, in pixels."""
    height, width = labels.shape
    side = round(math.sqrt(height * width / _BLOCKS))
    side = min(_LARGEST, max(_USUAL_SMALLEST, side))
    while True:
        blocks = [
            _Block(rows, columns, counts)
            for rows in _divide(height, side)
            for columns in _divide(width, side)
            if (counts := _count(labels[rows, columns], classes)).any()
        ]
        if len(blocks) >= _ENOUGH or side // 2 < _SMALLEST:
            return blocks, side
        side //= 2


def _divide(length: int, side: int) -> list[slice]:
    """A length in parts of about `side`, alike but for a pixel."""
    count = max(1, round(length / side))
    bounds = [length * number // count for number in range(count + 1)]
    return [slice(*bounds[number : number + 2]) for number in range(count)]


def _count(labels: Array, classes: int) -> NDArray[np.int64]:
    return np.bincount(labels[labels != VOID], minlength=classes)[:classes]


def _draw_split(
    name: str, blocks: Sequence[_Block], options: DataOptions
) -> tuple[list[_Block], list[_Block]]:
    """(train, val): of several draws that whose val is most like the whole, and whose train lacks
    fewest classes.
    """
    by_place = {block.place: block for block in blocks}
    pairs = [Pair(place, Path(name), Path(name)) for place in by_place]
    total = np.sum([block.counts for block in blocks], axis=0)  # (C,)

    def draw(number: int) -> tuple[list[_Block], list[_Block]]:
        rest, held_out = hold_out(pairs, options.val_fraction, _DRAWS * options.seed + number)
        return [by_place[pair.name] for pair in rest], [by_place[pair.name] for pair in held_out]

    def cost(number: int) -> float:
        train, val = draw(number)
        seen = np.sum([block.counts for block in train], axis=0)
        scored = np.sum([block.counts for block in val], axis=0)
        unlike = np.abs(scored / scored.sum() - total / total.sum()).sum()
        missing = np.count_nonzero(total[scored == 0])
        unlearned = np.count_nonzero(total[seen == 0])
        return float(unlike + missing + len(total) * unlearned)

    return draw(min(range(_DRAWS), key=cost))


def _shrink(block: _Block, margin: int, size: tuple[int, ...]) -> tuple[slice, slice]:
    """The rectangle without a margin on all sides but those that the picture ends at."""
    parts = []
    for part, length in zip((block.rows, block.columns), size, strict=True):
        start = part.start + margin * (part.start > 0)
        stop = part.stop - margin * (part.stop < length)
        parts.append(slice(start, stop))
    return parts[0], parts[1]


def _write_blocks(
    dataset: DataSet,
    pair: Pair,
    labels: Array,
    rectangles: dict[str, list[tuple[slice, slice]]],
) -> Path:
    """The folder of the blocks' files, which are written unless they are there already."""
    places = [
        (rows.start, rows.stop, columns.start, columns.stop)
        for parts in rectangles.values()
        for rows, columns in parts
    ]
    stats = pair.image.stat()
    image = (str(pair.image.absolute()), stats.st_size, stats.st_mtime_ns)
    digest = hashlib.sha256(json.dumps([image, dataset.classes.palette, places]).encode())
    digest.update(labels.tobytes())
    folder = cache_folder() / "blocks" / digest.hexdigest()[:32]
    if folder.is_dir():
        return folder
    write_block, size = _open_picture(pair.image)
    if size != labels.shape:
        raise DataError(
            f"{pair.image}: the image is {size[0]} x {size[1]} and its labels {_size(labels)} "
            "(height x width); give it labels of its own size"
        )
    suffix = _block_suffix(pair.image)
    try:
        with atomic_folder(folder, dataset.root) as stage:
            for top, bottom, left, right in places:
                name = f"{pair.name}_y{top}_x{left}"
                rows = slice(top, bottom)
                columns = slice(left, right)
                write_block(stage / f"{name}{suffix}", rows, columns)
                part = labels[rows, columns]
                write_labels(stage / f"{name}_labels.png", part, dataset.classes.palette)
    except OutputError as error:
        if not folder.is_dir():  # else another process has written it at the same time
            raise OutputError(f"{error}; XDG_CACHE_HOME names the folder of the cache") from error
    return folder


def _block_suffix(image: Path) -> str:
    """Of the files of a picture's blocks: bands keep their values."""
    return ".tif" if is_banded(image) else ".png"


def _open_picture(image: Path) -> tuple[Callable[[Path, slice, slice], None], tuple[int, int]]:
    """What writes a block of rows and columns, and the picture's size (height, width)."""
    if is_banded(image):
        bands = read_bands(image)
        _, height, width = bands.values.shape

        def write_band_block(path: Path, rows: slice, columns: slice) -> None:
            write_bands(path, bands.cut(rows, columns))

        return write_band_block, (height, width)
    rgb = read_picture(image).rgb  # (H, W, 3)

    def write_block(path: Path, rows: slice, columns: slice) -> None:
        write_image(path, rgb[rows, columns])

    return write_block, (rgb.shape[0], rgb.shape[1])


def _size(picture: Array) -> str:
    return f"{picture.shape[0]} x {picture.shape[1]}"
