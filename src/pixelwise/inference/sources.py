"""Images that a job is given: files, folders, patterns, lists, tables and shards, on disks and in
stores.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

from pixelwise.errors import DataError, PixelwiseError
from pixelwise.inference.outputs import strip_query
from pixelwise.inference.predict_files import find_images
from pixelwise.inference.raster import open_raster, quiet_rasterio
from pixelwise.io.images import IMAGE_SUFFIXES, list_images, pixel_count
from pixelwise.io.shards import HEADER, PACKED, SHARDS, UNKNOWN, list_shard_images
from pixelwise.io.storage import filesystem, is_uri, normalize_uri
from pixelwise.optional import require_package

COLUMNS = ("image", "path", "url", "file", "filename")
"""The column of a table that names images: the first of these that it has."""

TABLES = (".csv", ".parquet")
_TAKEN = (*IMAGE_SUFFIXES, SHARDS, *PACKED)

_READERS = 32
"""Headers read at a time, as a store answers many at once, each after a while."""


def find_sources(inputs: Sequence[str]) -> dict[str, int | None]:
    """Each image once, as an absolute path or an address, with its pixels where a table says them.

    Beside what `find_images` takes: addresses of files, folders, patterns and lists in stores, and
    tables (.csv, .parquet) with a column of COLUMNS and, if they have them, `height` and `width`.
    Names in a list or a table are relative to it. Wherever an image can be named, so can a shard
    (see `images_in`). Raises DataError for what cannot be read and where there is no image at all.
    """
    named = [pair for given in inputs for pair in _sources(normalize_uri(given))]
    shards = {name for name, _ in named if name.lower().endswith((SHARDS, *PACKED))}
    with ThreadPoolExecutor(_READERS) as pool:
        inside = dict(zip(shards, pool.map(list_shard_images, shards), strict=True))
    found = dict[str, int | None]()
    for name, size in named:
        for image, pixels in inside.get(name, [(name, size)]):
            found.setdefault(_utf8(image), pixels)
    if not found:
        raise DataError(
            f"no images in {', '.join(inputs)}; give image files or folders with images in them"
        )
    return found


def _utf8(image: str) -> str:
    try:
        image.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{image!r}: a name that is no UTF-8 does not travel to other machines; rename it"
        ) from error
    return image


def read_pixel_counts(images: Sequence[str]) -> list[int]:
    """Pixels of each image, by its header; in a store, its bytes where the header is not at its
    beginning.
    """
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(_weight, images))


def _weight(image: str) -> int:
    if not is_uri(image):
        return pixel_count(Path(image)) or UNKNOWN
    try:
        system = filesystem(image)
        return pixel_count(io.BytesIO(system.cat_file(image, start=0, end=HEADER))) or int(
            system.size(image)
        )
    except (
        Exception
    ):  # what stores raise has no base class but Exception; fetching it will say what is wrong
        return UNKNOWN


def raster_size(image: str) -> tuple[int, int] | None:
    """(height, width) by GDAL, which reads those that are too large for PIL; None where its header
    does not tell.
    """
    try:
        if is_uri(image):
            header = filesystem(image).cat_file(image, start=0, end=HEADER)
            with quiet_rasterio().MemoryFile(header) as file, file.open() as dataset:
                return int(dataset.height), int(dataset.width)
        with open_raster(Path(image)) as picture:
            return picture.height, picture.width
    except Exception:  # as above; it stays whole, and reading it will say what is wrong
        return None


def _sources(given: str) -> Iterator[tuple[str, int | None]]:
    if given.lower().endswith(TABLES):
        yield from _rows(given)
    elif given.lower().endswith(".txt") and (is_uri(given) or not Path(given).is_dir()):
        yield from ((_beside(given, line), None) for line in _lines(given))
    elif not is_uri(given):
        shards = sorted(map(str, Path(given).glob(f"*{SHARDS}"))) if Path(given).is_dir() else []
        images = find_images([given]) if not shards or list_images(Path(given)) else []
        yield from ((_absolute(str(name)), None) for name in (*images, *shards))
    else:
        yield from ((image, None) for image in _in_store(given))


def _in_store(given: str) -> list[str]:
    """The images and shards that an address names: a pattern's, a folder's, or itself."""
    system = filesystem(given)
    try:
        if "*" in given or "[" in given:
            found = system.glob(given)
        elif given.endswith("/") or not strip_query(given).lower().endswith(_TAKEN):
            found = [
                name
                for name in system.ls(given, detail=False)
                if not name.rpartition("/")[2].startswith(".")
            ]
        else:
            return [given]
    except FileNotFoundError:
        found = []
    except Exception as error:
        raise DataError(
            f"{given}: cannot be listed ({error}); check the name and the rights"
        ) from error
    images = sorted(name for name in found if name.lower().endswith(_TAKEN))
    if not images:
        raise DataError(
            f"no images in {given}; give images, a folder that has some, or a pattern in quotes"
        )
    return [system.unstrip_protocol(name) for name in images]


def _lines(given: str) -> Iterator[str]:
    """Those of a list that name something."""
    try:
        lines = _content(given).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{given}: cannot be read as a list of images ({error}); give text, a path a line"
        ) from error
    return (line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))


def _rows(given: str) -> Iterator[tuple[str, int | None]]:
    """The images of a table. Raises DataError for one without a column that names them."""
    columns = _columns(given)
    name = next((name for name in COLUMNS if name in columns), None)
    if name is None:
        raise DataError(
            f"{given}: has the columns {', '.join(columns)}; name images in one called {COLUMNS[0]}"
        )
    sizes = zip(columns.get("height", []), columns.get("width", []), strict=True)
    try:
        pixels: list[int | None] = [int(height) * int(width) for height, width in sizes]
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{given}: height and width must be whole numbers in every row ({error})"
        ) from error
    yield from (
        (_beside(given, str(image)), size)
        for image, size in zip(columns[name], pixels or repeat(None))  # noqa: B905
    )


def _columns(given: str) -> dict[str, list[Any]]:
    content = io.BytesIO(_content(given))
    try:
        if given.lower().endswith(".csv"):
            rows = list(
                csv.DictReader(
                    io.TextIOWrapper(content, encoding="utf-8-sig", newline=""), strict=True
                )
            )
            return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
        table = require_package("pyarrow.parquet").read_table(content)
        return {name: table[name].to_pylist() for name in table.column_names}
    except PixelwiseError:
        raise
    except Exception as error:  # pyarrow's and csv's share no base class
        raise DataError(
            f"{given}: cannot be read as a table ({error}); give CSV in UTF-8, or Parquet"
        ) from error


def _content(given: str) -> bytes:
    try:
        if not is_uri(given):
            return Path(given).read_bytes()
        content: bytes = filesystem(given).cat_file(given)
        return content
    except PixelwiseError:
        raise
    except Exception as error:
        raise DataError(
            f"{given}: cannot be read ({error}); give a list or a table that is there"
        ) from error


def _beside(given: str, name: str) -> str:
    """What a list or table at `given` means by `name`."""
    name = normalize_uri(name)
    if is_uri(name):
        return name
    if is_uri(given):
        return name if name.startswith("/") else f"{given.rpartition('/')[0]}/{name}"
    return _absolute(str(Path(given).parent / name))


def _absolute(path: str) -> str:
    return str(Path(path).absolute())
