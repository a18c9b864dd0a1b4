"""Sets whose labels are annotations, not images: parsed once, rasterized when asked for, nothing
written to disk.
"""

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.annotations.polygons import Points
from pixelwise.datasets.annotations.rasterize import (
    BY_AREA,
    BY_ORDER,
    ClassMapping,
    RasterizedMask,
    Shape,
    rasterize_shapes,
)
from pixelwise.datasets.index import Index, encoding_of
from pixelwise.datasets.issues import Issue, raise_first
from pixelwise.datasets.splits import split_folders
from pixelwise.datasets.types import DataOptions, Pair, first
from pixelwise.errors import DataError, ImageError
from pixelwise.io.images import MAX_PIXELS, Array, oriented_size
from pixelwise.io.text import decode_text

# What reading a record brings about that is not as its format has it.
_FORMAT_ERRORS = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
# Longer names are cut in messages: some are whole pictures in base64.
_MAX_NAME = 80


@dataclass(frozen=True)
class ImageAnnotation:
    """What is drawn on one image."""

    size: tuple[int, int]
    """(height, width)."""

    shapes: list[Shape]
    """In the order of the file."""


# Makes an annotation of an unpacked record, given the image and the label of each name.
Parse = Callable[[Any, Path, Mapping[str, int]], ImageAnnotation]


@dataclass(frozen=True)
class AnnotationReader:
    """Labels of an image, by its path. Records are packed text: that takes little memory, and
    processes that load data share it.
    """

    records: Mapping[Path, bytes]
    parse: Parse
    mapping: ClassMapping
    by_area: bool = False
    overlap_note: str = ""
    """Which of overlapping shapes covers the other, where it is not by area or by order."""

    def __call__(self, image: Path) -> Array:
        """Labels (H, W) uint8. Raises ImageError for a record that cannot be rasterized."""
        return self.rasterize(image).labels

    def objects(self, image: Path) -> NDArray[np.int32] | None:
        """(H, W): which object covers a pixel, as in RasterizedMask. Raises as called."""
        return self.rasterize(image, objects=True).objects

    def rasterize(self, image: Path, *, objects: bool = False) -> RasterizedMask:
        """As called, with what was clipped and overlapped."""
        annotation = self.parse_image(image)
        return rasterize_shapes(
            annotation.shapes,
            annotation.size,
            uncovered=self.mapping.uncovered,
            by_area=self.by_area,
            objects=objects,
        )

    def parse_image(self, image: Path) -> ImageAnnotation:
        """What is drawn on an image. Raises ImageError for a record that is not as its format has
        it, and for an absurd size.
        """
        annotation = self._parse(image)
        height, width = annotation.size
        if min(height, width) < 1 or height * width > MAX_PIXELS:
            reason = f"its annotation gives {height} x {width} pixels (height x width)"
            raise ImageError.of_file(image, reason)
        return annotation

    def _parse(self, image: Path) -> ImageAnnotation:
        try:
            record = unpack_record(self.records[image])
            return self.parse(record, image, self.mapping.labels)
        except ImageError:
            raise
        except DataError as error:
            raise ImageError.of_file(image, error.reason) from error
        except _FORMAT_ERRORS as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            reason = f"its annotation is not as the format has it ({what})"
            raise ImageError.of_file(image, reason, "export it again") from error


def build_index(
    format: str,
    root: Path,
    reader: AnnotationReader,
    splits: Mapping[str, Sequence[Path]],
    *,
    sources: Sequence[Path],
    notes: Sequence[str],
    issues: Sequence[Issue] = (),
) -> Index:
    """The index of a set of annotations; the first note says what was read. Pairs are named as
    their images, those of like names with the folder before.

    Raises DataError where no image is here and no issue says why.
    """
    stems = Counter(path.stem for images in splits.values() for path in images)
    repeated = {stem for stem, count in stems.items() if count > 1}
    pairs = {
        split: tuple(Pair(_pair_name(path, root, repeated), path, path) for path in sorted(images))
        for split, images in splits.items()
        if images
    }
    if not pairs:
        raise_first(issues)
        raise DataError(
            f"{root}: no image of the {format} annotations is here; put the images beside them"
        )
    lines = (
        f"format {format}: {notes[0]}",
        reader.mapping.note,
        reader.overlap_note or (BY_AREA if reader.by_area else BY_ORDER),
    )
    return Index(
        format,
        root,
        pairs,
        tuple(issues),
        (*lines, *notes[1:]),
        reader.mapping.classes,
        reader,
        encoding_of(format, reader.mapping.classes, reader),
        sources=tuple(sources),
    )


def list_annotation_folders(root: Path) -> list[Path]:
    """Where annotation files of whole splits may lie: `root`, annotations/, folders that are named
    as a split in both, and annotations/ in those.
    """
    annotations = root / "annotations"
    of_splits = list(split_folders(root).values())
    if annotations.is_dir():
        of_splits += split_folders(annotations).values()
    inner = [folder / "annotations" for folder in of_splits]
    return [root, annotations, *of_splits, *(folder for folder in inner if folder.is_dir())]


def pack_record(record: Any) -> bytes:
    """A record of JSON values as an AnnotationReader holds it."""
    return zlib.compress(json.dumps(record).encode(), 1)


def unpack_record(record: bytes) -> Any:
    """The JSON values of `pack_record`."""
    return json.loads(zlib.decompress(record))


def _pair_name(path: Path, root: Path, repeated: set[str]) -> str:
    if path.stem in repeated and path.is_relative_to(root):
        return "_".join(path.relative_to(root).with_suffix("").parts)
    return path.stem


def list_missing_images(
    missing: Sequence[object],
    total: int,
    source: Path,
    options: DataOptions,
    *,
    searched: str = "",
) -> list[Issue]:
    """An issue for images that are named and not on disk; training refuses it without
    `skip_unpaired`. Where all are missing, the text says where they were `searched`.
    """
    if not missing:
        return []
    names = first(shorten(str(name)) for name in missing)
    text = f"{len(missing)} of {total} images of {source.name} are not here: {names}"
    advice = "add them, or leave them out with --skip-unpaired"
    if len(missing) == total and searched:
        text += f"; looked for in {searched}"
        advice = "put them there"
    refusal = "" if options.skip_unpaired else f"{source}: {text}; {advice}"
    return [Issue("list-entry-missing", source, text, count=len(missing), refusal=refusal)]


def list_unusable_file(path: Path, error: DataError) -> Issue:
    """The issue for an annotation file that cannot be read, which training refuses."""
    return Issue("annotation-malformed", path, error.reason, refusal=str(error))


def parse_side(value: Any) -> int | None:
    """A height or width as annotations give it, None for none, 0 and what is no number."""
    try:
        return int(float(value)) or None
    except (TypeError, ValueError, OverflowError):
        return None


def size_of(image: Path, height: int | None, width: int | None) -> tuple[int, int]:
    """(height, width), those of the picture where annotations have none."""
    return oriented_size(image) if height is None or width is None else (height, width)


def list_sizeless(names: Sequence[str], source: Path) -> list[Issue]:
    """An issue for images without size in their annotations."""
    if not names:
        return []
    text = f"{len(names)}, such as {shorten(names[0])}: the pictures' own are taken"
    return [Issue("annotation-without-size", source, text, count=len(names))]


def shorten(name: str) -> str:
    """A name for a message, cut where it is long."""
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}..."


def load_json(path: Path) -> Any:
    """The contents of a JSON file. Raises DataError naming line and column of what is wrong."""
    try:
        return json.loads(decode_text(path.read_bytes(), path))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError.of_file(
            path, f"malformed JSON at {place}: {error.msg}", "export it again"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError.of_file(
            path, f"cannot be read as JSON ({error})", "export it again"
        ) from error


@contextmanager
def name_file_in_errors(path: Path) -> Iterator[None]:
    """Turns the errors of reading a file that is not as its format has it into a DataError that
    names the file.
    """
    try:
        yield
    except _FORMAT_ERRORS as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise DataError.of_file(
            path, f"is not laid out as its format demands ({what})", "export it again"
        ) from error


def to_points(flat: Any) -> Points:
    """(n, 2) from x0, y0, x1, y1, ... or pairs. Raises ValueError for other numbers and for
    infinite ones.
    """
    points = np.array(flat, np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError("coordinates that are no finite numbers")
    return points
