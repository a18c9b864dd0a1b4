"""Kaggle's tables of run lengths: a CSV file with a row a mask, and the images.

A mask is `start length start length ...`; starts count the pixels from 1, down the columns in most
competitions, along the rows in some.
"""

import csv
import io
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.datasets.annotations.find_images import ImageFinder
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_index,
    list_unusable_file,
    pack_record,
    unpack_record,
)
from pixelwise.datasets.annotations.label_names import explain_labels, find_class_files
from pixelwise.datasets.annotations.match_images import NamedImage, match_images
from pixelwise.datasets.annotations.rasterize import Shape
from pixelwise.datasets.annotations.rle import Bits
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue, describe_tolerated
from pixelwise.datasets.types import DataOptions, images_in
from pixelwise.errors import DataError, ImageError
from pixelwise.io.images import oriented_size
from pixelwise.io.text import list_files, read_head, read_text

LAYOUT = "a CSV file of run lengths (ImageId, EncodedPixels) beside folders of images"
_IMAGE = re.compile(r"(image|img|file)?[_ ]?(id|name)?", re.IGNORECASE)
_RUNS = re.compile(r"encoded_?pixels|rle|rle_mask|mask_rle|encoding|segmentation", re.IGNORECASE)
_CLASS = re.compile(r"class(_?id|_?name)?|label|category", re.IGNORECASE)
# One column for both, as in ImageId_ClassId with a.jpg_1.
_BOTH = re.compile(r"(image(id)?|img)_(class(id)?|label)", re.IGNORECASE)
_EMPTY = frozenset({"", "-1", "nan"})
# Of one mask, read down the columns and along the rows: where the one outline is shorter than this
# share of the other, it is the right one.
_MUCH_SHORTER = 0.8
_SAMPLES = 30


@dataclass(frozen=True)
class _Table:
    """The columns of a file: of the image, of the runs, and of the class, -1 for none."""

    image: int
    runs: int
    label: int
    both: bool


def matches(root: Path) -> bool:
    """Whether a CSV file at `root` has columns of an image and of run lengths."""
    return bool(_find_files(root))


def _find_files(root: Path) -> list[Path]:
    return [path for path in list_files(root, (".csv",)) if _find_columns(read_head(path, 4096))]


def _find_columns(text: str) -> _Table | None:
    header = [name.strip() for name in next(csv.reader(io.StringIO(text.split("\n", 1)[0])), [])]
    runs = [at for at, name in enumerate(header) if _RUNS.fullmatch(name)]
    both = [at for at, name in enumerate(header) if _BOTH.fullmatch(name)]
    images = [at for at, name in enumerate(header) if name and _IMAGE.fullmatch(name)]
    labels = [at for at, name in enumerate(header) if _CLASS.fullmatch(name)]
    if len(runs) != 1 or not (both or images):
        return None
    if both:
        return _Table(both[0], runs[0], both[0], both=True)
    return _Table(images[0], runs[0], labels[0] if labels else -1, both=False)


def index(root: Path, options: DataOptions) -> Index:
    """The images of the tables; what no mask covers is background.

    Classes are those of the column of classes, or one, foreground. Raises DataError where there is
    no table. Issues are tables that cannot be read, and those of `match_images`.
    """
    sources = _find_files(root)
    if not sources:
        raise DataError(f"{root}: no table of run lengths; it needs {LAYOUT}")
    issues: list[Issue] = []
    images: list[NamedImage] = []
    uses: dict[str, list[Path]] = defaultdict(list)
    for source in sources:
        try:
            images += _read_table(source, uses)
        except DataError as error:
            issues.append(list_unusable_file(source, error))
    folders = [root, *(path for path in sorted(root.iterdir()) if path.is_dir())]
    searched = [folder for folder in folders if images_in(folder)]
    matched = match_images(images, ImageFinder(root, searched), options)
    by_column, note = _find_order(matched.records)
    meaning = explain_labels(root, find_class_files([root]), uses, options)
    issues += [*matched.issues, *meaning.issues]
    parse = partial(parse_annotation, by_column)
    return build_index(
        "rle",
        root,
        AnnotationReader(matched.records, parse, meaning.mapping, by_area=True),
        matched.splits,
        sources=[*meaning.sources, *sources],
        notes=[
            f"run lengths of {', '.join(path.name for path in sources)}, {note}",
            *describe_tolerated(issues),
        ],
        issues=issues,
    )


def _read_table(path: Path, uses: dict[str, list[Path]]) -> Iterator[NamedImage]:
    """The images of a table with their classes and runs. Raises DataError naming the line of what
    is wrong.
    """
    text = read_text(path)
    table = _find_columns(text)
    assert table is not None  # by it the file was chosen
    by_image: dict[str, list[tuple[str, str]]] = {}
    for number, row in _list_rows(text):
        if len(row) <= max(table.image, table.runs, table.label):
            raise DataError.of_file(path, f"line {number} has {len(row)} columns", "correct it")
        name, label = _name_and_class(row, table)
        if not name or not label:
            raise DataError.of_file(path, f"line {number} lacks an image or a class", "correct it")
        runs = row[table.runs].strip()
        rows = by_image.setdefault(name, [])
        if path not in uses[label]:
            uses[label].append(path)
        if runs.lower() in _EMPTY:
            continue
        fault = _find_fault(runs)
        if fault:
            raise DataError.of_file(path, f"line {number} ({name}): {fault}", "correct it")
        rows.append((label, runs))
    for name, rows in by_image.items():
        yield NamedImage(name, path, pack_record(rows))


def _list_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    limit = csv.field_size_limit(sys.maxsize)  # a mask may take more than the usual 128 KiB
    try:
        reader = csv.reader(io.StringIO(text))
        next(reader)
        yield from ((reader.line_num, row) for row in reader if row)
    finally:
        csv.field_size_limit(limit)


def _name_and_class(row: Sequence[str], table: _Table) -> tuple[str, str]:
    name = row[table.image].strip()
    if table.both:
        name, _, label = name.rpartition("_")
    else:
        label = row[table.label].strip() if table.label >= 0 else "foreground"
    return name, f"class {label}" if label.isdecimal() else label


def _find_fault(runs: str) -> str:
    """Why a text is no run lengths; empty where it is."""
    words = runs.split()
    if not all(word.isdecimal() for word in words):
        return f"'{runs[:20]}' is no list of starts and lengths"
    if len(words) % 2:
        return f"{len(words)} numbers, where starts and lengths are pairs"
    if int(words[0]) < 1:
        return "a run begins at pixel 0, where pixels count from 1"
    return ""


def _find_order(records: Mapping[Path, bytes]) -> tuple[bool, str]:
    """Whether runs go down the columns, and a note on it: in the wrong direction a mask falls to
    pieces, but in a square image, where it is only turned.
    """
    columns = 0
    rows = 0
    for size, runs in _list_samples(records):
        try:
            columns += _outline(decode(runs, size, by_column=True))
            rows += _outline(decode(runs, size, by_column=False))
        except DataError:
            continue  # named when the image is read
    if rows < _MUCH_SHORTER * columns:
        return False, "along the rows, as masks are whole so"
    if columns < _MUCH_SHORTER * rows:
        return True, "down the columns, as masks are whole so"
    return True, "down the columns, as most of Kaggle's; these masks alone do not show it"


def _list_samples(records: Mapping[Path, bytes]) -> Iterator[tuple[tuple[int, int], str]]:
    """Masks of images that are not square."""
    count = 0
    for image, record in records.items():
        rows = unpack_record(record)
        try:
            size = oriented_size(image) if rows else (1, 1)
        except ImageError:
            continue
        if size[0] != size[1]:
            yield size, rows[0][1]
            count += 1
        if count == _SAMPLES:
            return


def _outline(bits: Bits) -> int:
    """Pixels' edges between the mask and the rest."""
    return int(np.diff(bits, axis=0).sum() + np.diff(bits, axis=1).sum())


def decode(runs: str, size: tuple[int, int], *, by_column: bool) -> Bits:
    """The mask (H, W) of a text of runs. Raises DataError for runs outside of the image."""
    numbers = np.array(runs.split(), np.int64).reshape(-1, 2)
    starts = numbers[:, 0] - 1
    ends = starts + numbers[:, 1]
    height, width = size
    if (starts < 0).any() or (ends > height * width).any():
        raise DataError(
            f"a run ends at pixel {int(ends.max())}, where {height} x {width} pixels (height x "
            f"width) are {height * width}; give the images their full size"
        )
    changes = np.zeros(height * width + 1, np.int64)
    np.add.at(changes, starts, 1)
    np.add.at(changes, ends, -1)
    flat = changes[:-1].cumsum() > 0
    return flat.reshape(width, height).T if by_column else flat.reshape(size)


def parse_annotation(
    by_column: bool, record: Any, image: Path, labels: Mapping[str, int]
) -> ImageAnnotation:
    """Size of the image and its masks."""
    size = oriented_size(image)
    shapes = []
    for label, runs in record:
        if label not in labels:
            raise DataError(f"a mask is of class '{label}', which is not listed")
        shapes.append(Shape(labels[label], bits=(0, 0, decode(runs, size, by_column=by_column))))
    return ImageAnnotation(size, shapes)
