"""The photos of a folder: their names in the project, their pixels, and whether they are still what
they were.
"""

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from pixelwise.errors import ImageError
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.raster import read_raster, reads_by_window
from pixelwise.inference.resize import resize_picture
from pixelwise.io.band_layout import is_banded
from pixelwise.io.channels import TO_SHOW
from pixelwise.io.images import MAX_PIXELS, Array, Picture, pixel_count, read_picture

# Sides of a photo at which the page sees it: all, a half, a quarter and so on, down to this one.
SMALLEST_LEVEL = 256
TILE = 512
# Bytes of decoded photos that are held: that of a hundred megapixels with its smaller levels, and
# some of the usual size.
_MAX_HELD = 600 * 2**20


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo in memory: RGB uint8 at each level, each half as large as the one before."""

    levels: tuple[Array, ...]
    digest: str
    stamp: tuple[int, int]
    path: Path

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the whole."""
        height, width, _ = self.levels[0].shape
        return height, width

    def seen_by(self, predictor: Predictor, level: int) -> Array | Picture:
        """A level as a model takes it: of bands that are no colours it is read anew."""
        if predictor.rule.channels is None:
            return self.levels[level]
        height, width, _ = self.levels[level].shape
        return resize_picture(predictor.read(self.path), (height, width))

    def tile(self, level: int, row: int, column: int) -> Array:
        """The tile (h, w, 3) of a level; empty beyond its edge."""
        rows = slice(row * TILE, (row + 1) * TILE)
        return self.levels[level][rows, column * TILE : (column + 1) * TILE]


class Photos:
    """Photos by name, in order; the last ones that were opened are held in memory."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.paths = dict(paths)
        self.names = list(self.paths)
        self._held = OrderedDict[str, Photo]()
        self._lock = Lock()

    def open(self, name: str) -> Photo:
        """The photo as it is on the disk now. Raises ImageError where it cannot be read."""
        path = self.paths[name]
        with self._lock:
            photo = self._held.get(name)
            if photo is not None and photo.stamp == stamp(path):
                self._held.move_to_end(name)
                return photo
            self._held.pop(name, None)
            photo = read_photo(path)
            self._held[name] = photo
            while len(self._held) > 1 and self._bytes() > _MAX_HELD:
                self._held.popitem(last=False)
            return photo

    def peek(self, name: str) -> Photo:
        """As `open`, without holding it: what is in hand stays, and nobody waits."""
        photo = self._held.get(name)
        path = self.paths[name]
        return photo if photo is not None and photo.stamp == stamp(path) else read_photo(path)

    def _bytes(self) -> int:
        return sum(level.nbytes for photo in self._held.values() for level in photo.levels)


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does: its time and size. Raises ImageError where it is gone."""
    try:
        status = path.stat()
    except OSError as error:
        raise ImageError.of_file(
            path, "is not there any more", "put it back: what was painted on it is kept"
        ) from error
    return status.st_mtime_ns, status.st_size


def digest_file(path: Path) -> str:
    """SHA-256 of a file, in hex. Raises ImageError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImageError.of_file(path, f"cannot be read ({error.strerror or error})") from error


def name_photos(paths: Sequence[Path]) -> dict[str, Path]:
    """A name for each photo, by which it is called in the project and its data set: the file's own,
    with its folder's or its ending's where two would give masks of one name.
    """
    folders = Counter(path.stem.lower() for path in paths)
    names = dict[str, Path]()
    stems = set[str]()
    for path in paths:
        candidates = _candidate_stems(path, is_unique=folders[path.stem.lower()] == 1)
        stem = next(stem for stem in candidates if stem.lower() not in stems)
        stems.add(stem.lower())
        names[stem + path.suffix] = path
    return names


def _candidate_stems(path: Path, *, is_unique: bool) -> Iterator[str]:
    if is_unique:
        yield path.stem
    kind = path.suffix.lstrip(".").lower()
    yield f"{path.resolve().parent.name}_{path.stem}"
    yield f"{path.resolve().parent.name}_{path.stem}_{kind}"
    for number in count(2):
        yield f"{path.stem}_{kind}_{number}"


def read_photo(path: Path) -> Photo:
    """A photo with all its levels. Raises ImageError where it cannot be read, and, by its header
    alone, for one of more than MAX_PIXELS: its labels would not fit in memory many times over.
    """
    before = stamp(path)
    pixels = pixel_count(path)
    if pixels is not None and pixels > MAX_PIXELS:
        raise ImageError.of_file(
            path,
            f"has more than the {MAX_PIXELS // 1_000_000} megapixels that can be painted on",
            "cut it into parts, and label those",
        )
    if reads_by_window(path, pixels) and not is_banded(path):
        picture = read_raster(path)
    else:
        picture = read_picture(path, TO_SHOW)
    levels = [np.ascontiguousarray(picture.rgb)]
    while max(levels[-1].shape[:2]) > SMALLEST_LEVEL:
        levels.append(np.asarray(Image.fromarray(levels[-1]).reduce(2)))
    return Photo(tuple(levels), digest_file(path), before, path)
