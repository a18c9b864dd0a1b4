"""The images that a command is given: files, folders, patterns, lists, tables and shards, on disks
and in stores.
"""

import csv
import glob
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pixelwise.errors import DataError, PixelwiseError
from pixelwise.inference.raster import open_raster
from pixelwise.io.gdal import quiet_rasterio
from pixelwise.io.image_formats import describe_left_aside, list_left_aside
from pixelwise.io.images import IMAGE_SUFFIXES, list_images, pixel_count
from pixelwise.io.read_film import is_film
from pixelwise.io.shards import HEADER, PACKED, SHARDS, UNKNOWN, list_shard_images
from pixelwise.io.storage import filesystem, is_uri, normalize_uri, strip_query
from pixelwise.io.text import is_side_file
from pixelwise.optional import require_package

# The column of a table that names images: the first of these that it has.
COLUMNS = ("image", "path", "url", "file", "filename")

TABLES = (".csv", ".parquet")
_SHARD_SUFFIXES = (SHARDS, *PACKED)
_SOURCE_SUFFIXES = (*IMAGE_SUFFIXES, *_SHARD_SUFFIXES)

# Headers read at a time, as a store answers many at once, each after a while.
_READERS = 32

# Each image by its path or URI, with its pixels where something has said them already.
Sources = dict[str, int | None]


def find_images(inputs: Sequence[str | Path]) -> list[Path]:
    """Files as they are, folders as the pictures in them, patterns such as `a/**/*.jpg` as what
    they match, and text files (.txt) as the images that they list, one a line, relative to the
    file's own folder.

    A file that does not exist is noticed when it is read. Raises DataError for a pattern without
    match, a list that cannot be read, and where there is no image at all.
    """
    images = [image for name in inputs for image in _images_on_disk(str(name))]
    if not images:
        raise _no_images(inputs)
    return list(dict.fromkeys(images))


def find_sources(inputs: Sequence[str | Path]) -> Sources:
    """Each image once, as a path or a URI, with its pixels where a table says them.

    Beside what `find_images` takes: URIs of files, folders, patterns and lists in stores, and
    tables (.csv, .parquet) whose column COLUMNS names images, relative to the table's folder, and
    shards (.tar) anywhere among these. Raises DataError as `find_images` does.
    """
    named = [pair for name in inputs for pair in _sources(normalize_uri(str(name)))]
    shards = {name for name, _ in named if name.lower().endswith(_SHARD_SUFFIXES)}
    members = dict[str, list[tuple[str, int]]]()
    if shards:
        with ThreadPoolExecutor(_READERS) as pool:
            members = dict(zip(shards, pool.map(list_shard_images, shards), strict=True))
    sources = Sources()
    for name, size in named:
        for image, pixels in members.get(name, [(name, size)]):
            sources.setdefault(image, pixels)
    if not sources:
        raise _no_images(inputs)
    return sources


def find_left_aside(inputs: Sequence[str | Path]) -> list[str]:
    """The files in the folders among the inputs, on disks and in stores, that are no images by
    their names.
    """
    names = list[str]()
    for entry in map(str, inputs):
        name = normalize_uri(entry)
        if is_uri(name):
            names += _left_in_store(name)
        elif Path(name).is_dir():
            names += map(str, list_left_aside(Path(name), used=_SHARD_SUFFIXES))
    return names


def shared_names(sources: Mapping[str, int | None]) -> Sources:
    """The images as other machines name them: by absolute paths. Raises DataError for a name that
    is no UTF-8.
    """
    shared = Sources()
    for image, pixels in sources.items():
        try:
            image.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{image!r}: a name that is no UTF-8 does not travel to other machines; rename it"
            ) from error
        shared.setdefault(image if is_uri(image) else str(Path(image).absolute()), pixels)
    return shared


def _no_images(inputs: Sequence[str | Path]) -> DataError:
    files = find_left_aside(inputs)
    left_aside = describe_left_aside(files)
    reason = f" ({left_aside})" if left_aside else ""
    if any(map(is_film, files)):
        reason += ", and a film is given by its own name, alone"
    return DataError(
        f"no images in {', '.join(map(str, inputs))}{reason}; give image files or folders with "
        "images in them"
    )


def _images_on_disk(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        return list_images(path)
    if path.suffix.lower() == ".txt":
        return [path.parent / line for line in _lines(name)]
    if path.exists() or not glob.has_magic(name):
        return [path]
    # Path takes no pattern that begins at the root.
    matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207
    if not matches:
        raise DataError(
            f"no file matches {name}; put a pattern in quotes, or give files or folders"
        )
    return [image for image in matches if image.is_file()]


def read_pixel_counts(images: Sequence[str]) -> list[int]:
    """Pixels of each image, by its header; in a store, its bytes where the header is not at its
    beginning.
    """
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(_pixels_or_bytes, images))


def _pixels_or_bytes(image: str) -> int:
    if not is_uri(image):
        return pixel_count(Path(image)) or UNKNOWN
    try:
        system = filesystem(image)
        header = io.BytesIO(system.cat_file(image, start=0, end=HEADER))
        return pixel_count(header) or int(system.size(image))
    # what stores raise has no base class but Exception; fetching it will say what is wrong
    except Exception:
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


def _sources(name: str) -> Iterator[tuple[str, int | None]]:
    is_list = name.lower().endswith(".txt") and (is_uri(name) or not Path(name).is_dir())
    if name.lower().endswith(TABLES):
        yield from _rows(name)
    elif is_list:
        yield from ((_beside(name, line), None) for line in _lines(name))
    elif is_uri(name):
        yield from ((image, None) for image in _in_store(name))
    else:
        for path in _on_disk(name):
            yield str(path), None


def _on_disk(name: str) -> Iterator[Path]:
    """The images that a path names, then the shards of a folder."""
    path = Path(name)
    shards = sorted(path.glob(f"*{SHARDS}")) if path.is_dir() else []
    # A folder of shards alone is no folder without images, which is an error.
    if not shards or list_images(path):
        yield from find_images([name])
    yield from shards


def _in_store(uri: str) -> list[str]:
    """The images and shards that a URI names: a pattern's, a folder's, or itself."""
    system = filesystem(uri)
    try:
        if "*" in uri or "[" in uri:
            names = system.glob(uri)
        elif _is_folder(uri):
            names = _list_store(uri)
        else:
            return [uri]
    except FileNotFoundError:
        names = []
    except Exception as error:
        raise DataError(
            f"{uri}: cannot be listed ({error}); check the name and the rights"
        ) from error
    images = sorted(name for name in names if name.lower().endswith(_SOURCE_SUFFIXES))
    if not images:
        raise DataError(
            f"no images in {uri}; give images, a folder that has some, or a pattern in quotes"
        )
    return [system.unstrip_protocol(name) for name in images]


def _is_folder(uri: str) -> bool:
    """Whether a URI that is no pattern is taken for a folder, by its name."""
    return uri.endswith("/") or not strip_query(uri).lower().endswith(_SOURCE_SUFFIXES)


def _list_store(uri: str) -> list[str]:
    """The names in a store's folder, without hidden and side files."""
    names: list[str] = filesystem(uri).ls(uri, detail=False)
    return [name for name in names if not is_side_file(Path(name))]


def _left_in_store(uri: str) -> list[str]:
    is_list = uri.lower().endswith((".txt", *TABLES))
    if is_list or "*" in uri or "[" in uri or not _is_folder(uri):
        return []
    try:
        names = _list_store(uri)
    # what stores raise has no base class but Exception; listing the images has said what is wrong
    except Exception:
        return []
    with_ending = [name for name in names if Path(name).suffix]  # others may be folders
    return [name for name in with_ending if not name.lower().endswith(_SOURCE_SUFFIXES)]


def _lines(name: str) -> Iterator[str]:
    """Those of a list that name something."""
    try:
        lines = _read(name).decode("utf-8-sig").splitlines()
    except PixelwiseError:
        raise
    except Exception as error:  # what stores raise has no base class but Exception
        raise DataError(
            f"{name}: cannot be read as a list of images ({error}); give a text file, a path a line"
        ) from error
    return (line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))


def _rows(table: str) -> Iterator[tuple[str, int | None]]:
    """The images of a table. Raises DataError for one without a column that names them."""
    columns = _columns(table)
    column = next((column for column in COLUMNS if column in columns), None)
    if column is None:
        raise DataError(
            f"{table}: has the columns {', '.join(columns)}; name images in one called {COLUMNS[0]}"
        )
    pixels: list[int | None] = [*_pixel_column(table, columns)]
    if not pixels:
        pixels = [None] * len(columns[column])
    for image, size in zip(columns[column], pixels, strict=True):
        yield _beside(table, str(image)), size


def _pixel_column(table: str, columns: Mapping[str, list[Any]]) -> list[int]:
    """Pixels by row; empty where the table has no sizes."""
    sizes = zip(columns.get("height", []), columns.get("width", []), strict=True)
    try:
        return [int(height) * int(width) for height, width in sizes]
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{table}: height and width must be whole numbers in every row ({error})"
        ) from error


def _columns(table: str) -> dict[str, list[Any]]:
    try:
        content = io.BytesIO(_read(table))
        if table.lower().endswith(".csv"):
            text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
            rows = list(csv.DictReader(text, strict=True))
            return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
        parquet = require_package("pyarrow.parquet").read_table(content)
        return {name: parquet[name].to_pylist() for name in parquet.column_names}
    except PixelwiseError:
        raise
    except Exception as error:  # pyarrow's, csv's and stores' share no base class
        raise DataError(
            f"{table}: cannot be read as a table ({error}); give CSV in UTF-8, or Parquet"
        ) from error


def _read(name: str) -> bytes:
    """A list or table, whole."""
    if not is_uri(name):
        return Path(name).read_bytes()
    content: bytes = filesystem(name).cat_file(name)
    return content


def _beside(table: str, entry: str) -> str:
    """What a list or table means by `entry`."""
    name = normalize_uri(entry)
    if is_uri(name):
        return name
    if is_uri(table):
        return name if name.startswith("/") else f"{table.rpartition('/')[0]}/{name}"
    return str(Path(table).parent / name)
