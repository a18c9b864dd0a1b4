"""Sets whose labels are records, not pictures: parsed once, drawn when asked for, nothing written
to disk.
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

from pixelwise.datasets.annotations.polygons import Points
from pixelwise.datasets.annotations.rasterize import BY_AREA, BY_ORDER, Drawing, Legend, Shape, draw
from pixelwise.datasets.issues import IssueNote
from pixelwise.datasets.splits import complete_splits, split_folders
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first
from pixelwise.errors import DataError, ImageError
from pixelwise.io.images import MAX_PIXELS, Array

Figure = tuple[tuple[int, int], list[Shape]]
"""Size (height, width) and shapes of one image."""
Parse = Callable[[Any, Path, Mapping[str, int]], Figure]
"""Makes a figure of an unpacked record, given the image and the label of each name."""
_WRONG = (LookupError, TypeError, ValueError, AttributeError, OverflowError)


@dataclass(frozen=True)
class RecordReader:
    """Labels of an image, by its path. Records are packed text: that takes little memory, and
    processes that load data share it.
    """

    records: Mapping[Path, bytes]
    parse: Parse
    legend: Legend
    by_area: bool = False

    def __call__(self, image: Path) -> Array:
        """Labels (H, W) uint8. Raises ImageError for a record that cannot be drawn."""
        return self.drawing(image).labels

    def drawing(self, image: Path) -> Drawing:
        """As called, with what was clipped and overlapped."""
        try:
            size, shapes = self.parse(
                json.loads(zlib.decompress(self.records[image])), image, self.legend.labels
            )
        except ImageError:
            raise
        except DataError as error:
            raise ImageError.of_file(image, error.reason) from error
        except _WRONG as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            reason = f"its annotation is not as the format has it ({what})"
            raise ImageError.of_file(image, reason, "export it again") from error
        if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
            reason = f"its annotation gives {size[0]} x {size[1]} pixels (height x width)"
            raise ImageError.of_file(image, reason)
        return draw(shapes, size, rest=self.legend.rest, by_area=self.by_area)


def dataset(
    format: str,
    root: Path,
    reader: RecordReader,
    splits: Mapping[str, Sequence[Path]],
    *,
    options: DataOptions,
    sources: Sequence[Path],
    notes: Sequence[str],
) -> DataSet:
    """A data set of records. Pairs are called as their images, those of like names with the folder
    before.
    """
    stems = Counter(path.stem for images in splits.values() for path in images)
    double = {stem for stem, count in stems.items() if count > 1}
    pairs = {
        split: tuple(Pair(_name(path, root, double), path, path) for path in sorted(images))
        for split, images in splits.items()
        if images
    }
    if not pairs:
        raise DataError(
            f"{root}: no image of the {format} annotations is here; put the images beside them"
        )
    pairs, said = complete_splits(pairs, options)
    lines = (
        f"format {format}: {notes[0]}",
        reader.legend.note,
        BY_AREA if reader.by_area else BY_ORDER,
    )
    return DataSet(
        format,
        root,
        reader.legend.classes,
        pairs,
        reader,
        (*lines, *notes[1:], *said),
        tuple(sources),
    )


def folders_of(root: Path) -> dict[str, Path]:
    """`root` itself as train, and the folders in it that are named as a split."""
    return {"train": root, **split_folders(root)}


def packed(record: Any) -> bytes:
    """A record of JSON values as a RecordReader holds it."""
    return zlib.compress(json.dumps(record).encode(), 1)


def _name(path: Path, root: Path, double: set[str]) -> str:
    inside = path.stem in double and path.is_relative_to(root)
    return "_".join(path.relative_to(root).with_suffix("").parts) if inside else path.stem


def missing(lacking: Sequence[object], total: int, source: Path, options: DataOptions) -> list[str]:
    """A note on images that are not on disk. Raises DataError without `skip_unpaired`."""
    if not lacking:
        return []
    what = (
        f"{len(lacking)} of {total} images of {source.name} are not here: "
        f"{first(map(str, lacking))}"
    )
    if not options.skip_unpaired:
        raise DataError(f"{source}: {what}; add them, or leave them out with --skip-unpaired")
    return [IssueNote.of(f"left out: {what}", "list-entry-missing", source)]


def load_json(path: Path) -> Any:
    """The contents of a JSON file. Raises DataError naming line and column of what is wrong."""
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError(
            f"{path}: malformed JSON at {place}: {error.msg}; export it again"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}); export it again") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what a file of another shape than expected brings about into a DataError that names the
    file.
    """
    try:
        yield
    except _WRONG as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"{path}: is not laid out as its format demands ({what}); export it again"
        ) from error


def points(flat: Any) -> Points:
    """(n, 2) from x0, y0, x1, y1, ... or pairs. Raises ValueError for other numbers and for
    infinite ones.
    """
    found = np.array(flat, np.float64).reshape(-1, 2)
    if not np.isfinite(found).all():
        raise ValueError("coordinates that are no finite numbers")
    return found
