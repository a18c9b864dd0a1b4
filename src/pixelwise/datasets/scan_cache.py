"""What a pass over a data set measured, stored in the user's cache folder until a file changes.

One file for each data set: arrays and JSON in NumPy's npz, read without pickles. A record is found
by the paths, sizes and times of change of its files, so a changed file is measured again.
"""

import hashlib
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Colour
from pixelwise.datasets.edge_alignment import Fit
from pixelwise.datasets.pair_stats import (
    Depth,
    FileStats,
    ImageStats,
    MaskSource,
    MaskStats,
    PairStats,
)
from pixelwise.datasets.types import Pair
from pixelwise.errors import OutputError
from pixelwise.io.atomic import atomic
from pixelwise.io.cache import cache_folder
from pixelwise.io.reading_notes import decode_notes, encode_notes

# Counts up when what is measured changes: records of before are then ignored.
_VERSION = 2
# Bounds what the caches of all sets take on disk together: 4 GiB.
_MAX_BYTES = 128 * 1024 * 1024
_MAX_FILES = 32
_THUMB_BYTES = 256
# The values of a row of a file, which stand first in the rows of images and masks.
_FILE_COLUMNS = 7

Record = tuple[ImageStats | None, MaskStats | None, Fit | None]
Arrays = dict[str, NDArray[Any]]
"""The arrays of a cache file by name."""


class ScanCache:
    """The records of one data set, of which `source` makes values of masks.

    A cache that is damaged or cannot be read counts as empty, and one that cannot be written is
    not. Where labels are drawn and nothing says from which files, nothing is kept.
    """

    def __init__(self, root: Path, source: MaskSource) -> None:
        self._source_key = _source_key(source)
        # The kind of source, not its files: changed annotations must not leave a file behind.
        place = json.dumps([_VERSION, str(root.resolve()), self._source_key[:1]])
        digest = hashlib.sha256(place.encode("utf-8", "surrogateescape"))
        self._path = cache_folder() / "scans" / f"{digest.hexdigest()[:32]}.npz"
        self._records: dict[str, Record] = {}
        self._used: set[str] = set()
        self._new = False
        self._lock = Lock()
        if self._source_key:
            self._records = _load(self._path)

    def key(self, pair: Pair) -> str:
        """What finds a pair's record; empty where its files cannot be seen, or nothing is kept."""
        if not self._source_key:
            return ""
        try:
            parts = [self._source_key, _file_key(pair.image), _file_key(pair.mask)]
        except OSError:
            return ""
        digest = hashlib.blake2b(repr(parts).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()[:32]

    def find(
        self,
        key: str,
        split: str,
        pair: Pair,
        depth: Depth,
    ) -> PairStats | None:
        """What was measured of a pair, if that is enough."""
        record = self._records.get(key)
        if record is None:
            return None
        if not _is_enough(record, depth):
            return None
        self._used.add(key)
        image, mask, fit = record
        return PairStats(
            split,
            pair,
            image,
            mask,
            fit=fit,
        )

    def add(self, key: str, stats: PairStats) -> None:
        """Take up what was measured. Files that could not be read are tried again next time: what
        was in their way may be gone.
        """
        if not key or stats.problems:
            return
        with self._lock:
            self._records[key] = (stats.image, stats.mask, stats.fit)
            self._used.add(key)
            self._new = True

    def save(self) -> None:
        """Write what is new. Records of other files of the set stay while there is room."""
        if not self._new:
            return
        content = _encode(self._records)
        if _size(content) > _MAX_BYTES:
            used = {key: self._records[key] for key in sorted(self._used)}
            content = _encode(used)
        if _size(content) > _MAX_BYTES:
            return
        with suppress(OutputError), atomic(self._path) as draft, draft.open("wb") as file:
            np.savez(file, **content)  # type: ignore[arg-type]
        self._new = False
        _remove_oldest(self._path.parent)


def _is_enough(record: Record, depth: Depth) -> bool:
    """Whether a record holds all that a pass of this depth measures."""
    image, mask, _ = record
    if mask is None:
        return False
    if depth == "masks":
        return True
    if image is None:
        return False
    return depth == "sizes" or (image.full and mask.full)


def _size(content: Arrays) -> int:
    return sum(array.nbytes for array in content.values())


def _source_key(source: MaskSource) -> str:
    if source.draw is None:
        return "matte" if source.matte else "files"
    if not source.annotations:
        return ""
    try:
        rows = [_file_key(path) for path in source.annotations]
    except OSError:
        return ""
    legend = repr(getattr(source.draw, "legend", ""))
    text = repr([type(source.draw).__name__, legend, rows])
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace"))
    return f"drawn {digest.hexdigest()}"


def _file_key(path: Path) -> tuple[str, int, int, int]:
    """A file's path, size, and times of change: of its contents, which programs may set, and of
    anything, which they may not.
    """
    stat = path.stat()
    return str(path.absolute()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _remove_oldest(folder: Path) -> None:
    with suppress(OSError):
        newest_first = sorted(folder.glob("*.npz"), key=_modified, reverse=True)
        for path in newest_first[_MAX_FILES:]:
            path.unlink()


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def _load(path: Path) -> dict[str, Record]:
    try:
        # Without pickles: a file in the cache must not be able to run code.
        with np.load(path, allow_pickle=False) as content:
            return _decode({name: content[name] for name in content.files})
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile):
        return {}


def _encode(records: dict[str, Record]) -> Arrays:
    """Records as three arrays: thousands of small ones would make the file slow to read."""
    rows = []
    tables = [np.zeros((3, 0), np.int32)]
    thumbs = []
    palettes: dict[tuple[Colour, ...], int] = {}
    for key, (image, mask, fit) in records.items():
        rows.append([key, _image_row(image), _mask_row(mask, palettes), _fit_row(fit)])
        if image and image.thumb:
            thumbs.append(image.thumb)
        if mask:
            tables.append(mask.table)
    header = json.dumps({"version": _VERSION, "rows": rows, "palettes": list(palettes)})
    return {
        "header": np.frombuffer(header.encode("ascii"), np.uint8),
        "tables": np.concatenate(tables, axis=1),
        "thumbs": np.frombuffer(b"".join(thumbs), np.uint8),
    }


def _image_row(image: ImageStats | None) -> list[Any] | None:
    if image is None:
        return None
    return [
        *_file_row(image.file),
        image.low,
        image.high,
        image.grey,
        image.tones,
        image.print,
        image.full,
        encode_notes(image.notes),
    ]


def _mask_row(mask: MaskStats | None, palettes: dict[tuple[Colour, ...], int]) -> list[Any] | None:
    """The values of a mask; its palette is the number that it has, or is given, in `palettes`."""
    if mask is None:
        return None
    palette = None
    if mask.palette:
        palette = palettes.setdefault(mask.palette, len(palettes))
    return [
        *_file_row(mask.file),
        mask.coloured,
        mask.table.shape[1],
        mask.distinct,
        palette,
        mask.rgb,
        mask.in_alpha,
        mask.alpha,
        mask.widened,
        mask.overlaps,
        mask.clipped,
        mask.blank,
        mask.between,
        mask.rim,
        mask.core,
        mask.full,
        mask.zero_is_nodata,
        mask.lossy,
    ]


def _fit_row(fit: Fit | None) -> list[Any] | None:
    return [getattr(fit, name) for name in Fit.__slots__] if fit else None


def _decode(content: Arrays) -> dict[str, Record]:
    header = json.loads(content["header"].tobytes())
    if header["version"] != _VERSION:
        return {}
    parts = _Parts(
        content["tables"].astype(np.int32, copy=False),
        content["thumbs"].tobytes(),
        [tuple(tuple(colour) for colour in palette) for palette in header["palettes"]],
    )
    records: dict[str, Record] = {}
    for key, image_row, mask_row, fit_row in header["rows"]:
        image = _decode_image(image_row, parts) if image_row else None
        mask = _decode_mask(mask_row, parts) if mask_row else None
        records[key] = (image, mask, _decode_fit(fit_row))
    return records


class _Parts:
    """The joined arrays of a cache, of which each record takes the next piece."""

    def __init__(
        self,
        tables: NDArray[np.int32],
        thumbs: bytes,
        palettes: list[tuple[Colour, ...]],
    ) -> None:
        self.palettes = palettes
        self._tables = tables
        self._thumbs = thumbs
        self._column = 0
        self._byte = 0

    def next_table(self, width: int) -> NDArray[np.int32]:
        end = self._column + width
        # A copy: a view would keep the tables of the whole set in memory.
        table = self._tables[:, self._column : end].copy()
        self._column = end
        return table

    def next_thumb(self) -> bytes:
        thumb = self._thumbs[self._byte : self._byte + _THUMB_BYTES]
        self._byte += len(thumb)
        return thumb


def _decode_image(row: list[Any], parts: _Parts) -> ImageStats:
    low, high, grey, tones, print_, full, notes = row[_FILE_COLUMNS:]
    thumb = parts.next_thumb() if full else b""
    file = _decode_file(row)
    return ImageStats(
        file,
        low,
        high,
        grey,
        tones,
        print_,
        thumb,
        full,
        decode_notes(notes),
    )


def _decode_mask(row: list[Any], parts: _Parts) -> MaskStats:
    coloured, width, distinct, number, *measurements = row[_FILE_COLUMNS:]
    table = parts.next_table(width)
    palette = None if number is None else parts.palettes[number]
    return MaskStats(_decode_file(row), coloured, table, distinct, palette, *measurements)


def _file_row(file: FileStats) -> list[Any]:
    return [
        file.size,
        file.stored,
        file.orientation,
        file.mode,
        file.format,
        file.frames,
        file.content.hex(),
    ]


def _decode_file(row: list[Any]) -> FileStats:
    size, stored, orientation, mode, format, frames, content = row[:_FILE_COLUMNS]
    return FileStats(
        tuple(size),
        tuple(stored),
        orientation,
        mode,
        format,
        frames,
        bytes.fromhex(content),
    )


def _decode_fit(row: list[Any] | None) -> Fit | None:
    if row is None:
        return None
    in_place, best, shift, near, gain, turn, turned, turn_gain = row
    return Fit(
        in_place,
        best,
        tuple(shift),
        tuple(near),
        gain,
        turn,
        turned,
        turn_gain,
    )
