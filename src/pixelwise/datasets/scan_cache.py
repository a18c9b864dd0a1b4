"""What a pass over a data set measured, kept in the user's cache folder until a file changes.

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

# Counts up when what is measured changes: records of before are then ignored.
_VERSION = 1
_MAX_BYTES = 128 * 1024 * 1024
_MAX_FILES = 32
_THUMB_BYTES = 256

Record = tuple[ImageStats | None, MaskStats | None, Fit | None]


class ScanCache:
    """The records of one data set, of which `source` makes values of masks.

    A cache that is damaged or cannot be read counts as empty, and one that cannot be written is
    not. Where labels are drawn and nothing says from which files, nothing is kept.
    """

    def __init__(self, root: Path, source: MaskSource) -> None:
        self._source_key = _source_key(source)
        place = json.dumps([_VERSION, str(root.resolve()), self._source_key[:1]])
        name = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._path = cache_folder() / "scans" / f"{name}.npz"
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
        return hashlib.blake2b(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]

    def find(self, key: str, split: str, pair: Pair, depth: Depth) -> PairStats | None:
        """What was measured of a pair, if that is enough."""
        record = self._records.get(key)
        if record is None:
            return None
        image, mask, fit = record
        enough = mask is not None and (depth == "masks" or image is not None)
        if depth == "full":
            enough = bool(image and image.full and mask and mask.full)
        if not enough:
            return None
        self._used.add(key)
        return PairStats(split, pair, image, mask, fit=fit)

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
        if sum(array.nbytes for array in content.values()) > _MAX_BYTES:
            content = _encode({key: self._records[key] for key in sorted(self._used)})
        if sum(array.nbytes for array in content.values()) > _MAX_BYTES:
            return
        with suppress(OutputError), atomic(self._path) as draft, draft.open("wb") as file:
            np.savez(file, **content)  # type: ignore[arg-type]
        self._new = False
        _remove_oldest(self._path.parent)


def _source_key(source: MaskSource) -> str:
    if source.draw is None:
        return "matte" if source.matte else "files"
    if not source.annotations:
        return ""
    try:
        rows = [_file_key(path) for path in source.annotations]
    except OSError:
        return ""
    text = repr([type(source.draw).__name__, repr(getattr(source.draw, "legend", "")), rows])
    return "drawn " + hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _file_key(path: Path) -> tuple[str, int, int, int]:
    """A file's path, size, and times of change: of its contents, which programs may set, and of
    anything, which they may not.
    """
    stat = path.stat()
    return str(path.absolute()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _remove_oldest(folder: Path) -> None:
    with suppress(OSError):
        files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[_MAX_FILES:]:
            path.unlink()


def _load(path: Path) -> dict[str, Record]:
    try:
        with np.load(path, allow_pickle=False) as content:
            return _decode({name: content[name] for name in content.files})
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile):
        return {}


def _encode(records: dict[str, Record]) -> dict[str, np.ndarray[Any, Any]]:
    rows = []
    tables = [np.zeros((3, 0), np.int32)]
    thumbs = []
    palettes: dict[tuple[Colour, ...], int] = {}
    for key, (image, mask, fit) in records.items():
        image_row = None
        if image:
            image_row = [*_file_row(image.file), image.low, image.high, image.grey]
            image_row += [image.transparent, image.tones, image.print, image.full]
            thumbs += [image.thumb] if image.thumb else []
        mask_row = None
        if mask:
            palette = palettes.setdefault(mask.palette, len(palettes)) if mask.palette else None
            mask_row = [*_file_row(mask.file), mask.coloured, mask.table.shape[1], mask.distinct]
            mask_row += [palette, mask.rgb, mask.in_alpha, mask.alpha, mask.widened]
            mask_row += [mask.overlaps, mask.clipped, mask.blank]
            mask_row += [mask.between, mask.rim, mask.core, mask.full]
            tables.append(mask.table)
        fit_row = fit and [getattr(fit, name) for name in Fit.__slots__]
        rows.append([key, image_row, mask_row, fit_row])
    header = json.dumps({"version": _VERSION, "rows": rows, "palettes": list(palettes)})
    return {
        "header": np.frombuffer(header.encode("ascii"), np.uint8),
        "tables": np.concatenate(tables, axis=1),
        "thumbs": np.frombuffer(b"".join(thumbs), np.uint8),
    }


def _decode(content: dict[str, np.ndarray[Any, Any]]) -> dict[str, Record]:
    header = json.loads(content["header"].tobytes())
    if header["version"] != _VERSION:
        return {}
    palettes = [tuple(tuple(colour) for colour in palette) for palette in header["palettes"]]
    tables = content["tables"].astype(np.int32, copy=False)
    thumbs = content["thumbs"].tobytes()
    column = 0
    byte = 0
    records: dict[str, Record] = {}
    for key, image_row, mask_row, fit_row in header["rows"]:
        image = None
        if image_row:
            low, high, grey, transparent, tones, print_, full = image_row[7:]
            thumb = thumbs[byte : byte + _THUMB_BYTES] if full else b""
            byte += len(thumb)
            file = _file_stats(image_row)
            image = ImageStats(file, low, high, grey, transparent, tones, print_, thumb, full)
        mask = None
        if mask_row:
            coloured, width, distinct, palette, *rest = mask_row[7:]
            table = tables[:, column : column + width].copy()
            column += width
            colours = None if palette is None else palettes[palette]
            mask = MaskStats(_file_stats(mask_row), coloured, table, distinct, colours, *rest)
        records[key] = (image, mask, _fit(fit_row))
    return records


def _file_row(file: FileStats) -> list[Any]:
    size = [file.size, file.stored, file.orientation, file.mode, file.format, file.frames]
    return [*size, file.content.hex()]


def _file_stats(row: list[Any]) -> FileStats:
    size, stored, orientation, mode, format, frames, content = row[:7]
    return FileStats(
        tuple(size), tuple(stored), orientation, mode, format, frames, bytes.fromhex(content)
    )


def _fit(row: list[Any] | None) -> Fit | None:
    if row is None:
        return None
    in_place, best, shift, near, gain, turn, turned, turn_gain = row
    return Fit(in_place, best, tuple(shift), tuple(near), gain, turn, turned, turn_gain)
