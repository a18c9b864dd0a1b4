"""Tables of Hugging Face `datasets`: Parquet files with a column of images and one of masks (extra
`parquet`).

Source: the documentation of `datasets`, on its feature Image: a struct of bytes and path.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixelwise.datasets.index import Index
from pixelwise.datasets.readers.packed import Archives, Sample, choose_pair
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError
from pixelwise.optional import require_package

LAYOUT = "data/train-00000-of-00001.parquet with a column of images and one of masks (Hugging Face)"
_ROWS = 16


def matches(root: Path) -> bool:
    """Whether Parquet files lie at `root` or beneath it."""
    return bool(_ARCHIVES.list(root))


def index(root: Path, options: DataOptions) -> Index:
    """The pictures of the tables. Raises DataError for what is no such table, and ConfigError
    without pyarrow.
    """
    return _ARCHIVES.index(root, options)


def _read_table(path: Path) -> Iterator[Sample]:
    """The rows of a table, some at a time."""
    parquet = require_package("pyarrow.parquet")
    number = 0
    try:
        file = parquet.ParquetFile(path)
        image, mask = _choose_columns(file.schema_arrow, path)
        for batch in file.iter_batches(batch_size=_ROWS, columns=[image, mask]):
            for row in batch.to_pylist():
                place = f"{path}: row {number}"
                yield Sample(
                    f"{number:07}",
                    _bytes_of(row[image], path, place),
                    _bytes_of(row[mask], path, place),
                )
                number += 1
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error}); get it again") from error


def _choose_columns(schema: Any, path: Path) -> tuple[str, str]:
    """The columns of the image and of the mask, among those that hold pictures."""
    types = require_package("pyarrow").types
    pictures = [
        field.name
        for field in schema
        if types.is_binary(field.type)
        or types.is_large_binary(field.type)
        or (types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0)
    ]
    pair = choose_pair(pictures)
    if pair is None:
        raise DataError(
            f"{path}: has pictures in the columns {', '.join(pictures) or '(none)'}, of which one "
            "must be called image and one mask, annotation or label; rename them, drop the others"
        )
    return pair


def _bytes_of(value: Any, path: Path, place: str) -> bytes:
    """Those of a picture in a table, or of the file beside it that it names."""
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        return data
    name = value.get("path") if isinstance(value, dict) else None
    file = path.parent / str(name)
    if not name:
        raise DataError(f"{place}: lacks its image or its mask; drop the row")
    if not file.resolve().is_relative_to(path.parent.resolve()) or not file.is_file():
        raise DataError(
            f"{place}: names {name}, which is not beside the table; put it there, or "
            "save the table with the pictures in it"
        )
    return file.read_bytes()


_ARCHIVES = Archives("parquet", LAYOUT, (".parquet",), _read_table)
