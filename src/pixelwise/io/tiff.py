"""TIFF files beyond what PIL tells of them: pages, and samples of 16 bits in several bands."""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pixelwise.io.open_images import TIFF_STARTS, silence_warnings

_BIG = TIFF_STARTS[2:]
# Far more pages than files have; what links to itself must end.
_MAX_PAGES = 100_000

_SUBFILE = 254
_OLD_SUBFILE = 255
_WIDTH = 256
_HEIGHT = 257
_BITS = 258
_COMPRESSION = 259
_PHOTOMETRIC = 262
_FILL_ORDER = 266
_STRIPS = 273
_ORIENTATION = 274
_BANDS = 277
_ROWS_PER_STRIP = 278
_STRIP_SIZES = 279
_MAX_VALUE = 281
_PLANAR = 284
_PREDICTOR = 317
_TILE_WIDTH = 322
_TILE_HEIGHT = 323
_TILES = 324
_TILE_SIZES = 325
_SUB_DIRECTORIES = 330
_EXTRA_BANDS = 338
_SAMPLE_FORMAT = 339
_SAMPLE_MAX = 341

_WHITE_IS_ZERO = 0
_BLACK_IS_ZERO = 1
_RGB = 2
_FORMATS = {2: "signed numbers", 3: "floating point numbers", 5: "complex numbers"}
_JPEG = (6, 7)
# A copy of a page at half its size or less is an overview, whatever its flags say.
_OVERVIEW = 0.51


@dataclass(frozen=True)
class Page:
    """A page as its directory describes it. `extra_bands` are those beyond grey or RGB: 0 is
    unspecified, 1 and 2 are alpha.
    """

    tags: dict[int, Any]
    byte_order: str

    def number(self, tag: int, otherwise: int = 0) -> int:
        """The first value of a tag."""
        return int(next(iter(self.numbers(tag)), otherwise))

    def numbers(self, tag: int) -> tuple[int, ...]:
        """All values of a tag of whole numbers; none where it is not there, or holds others."""
        value = self.tags.get(tag, ())
        values = value if isinstance(value, tuple) else (value,)
        return tuple(int(v) for v in values if isinstance(v, int | float))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as stored."""
        return self.number(_HEIGHT), self.number(_WIDTH)

    @property
    def orientation(self) -> int:
        """As in EXIF, 1 to 8."""
        return self.number(_ORIENTATION, 1)

    @property
    def bands(self) -> int:
        """Samples of a pixel."""
        return self.number(_BANDS, 1)

    @property
    def bits(self) -> int:
        """Of the widest sample."""
        return max(self.numbers(_BITS), default=1)

    @property
    def colours(self) -> int:
        """Bands of colour: 3 for RGB, also where nothing says so, else 1."""
        photometric = self.number(_PHOTOMETRIC, _BLACK_IS_ZERO)
        unnamed_rgb = photometric == _BLACK_IS_ZERO and self.bands in (3, 4)
        return 3 if photometric == _RGB or unnamed_rgb else 1

    @property
    def has_alpha(self) -> bool:
        """Whether the band behind the colours is alpha."""
        return next(iter(self.numbers(_EXTRA_BANDS)), 0) in (1, 2)

    @property
    def has_premultiplied_alpha(self) -> bool:
        """Whether that alpha is multiplied into the colours."""
        return next(iter(self.numbers(_EXTRA_BANDS)), 0) == 1

    @property
    def white_is_zero(self) -> bool:
        """Whether its grey is stored inverted."""
        return self.number(_PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO

    @property
    def greatest_value(self) -> int:
        """That which its tags promise of all samples, 0 where they promise none."""
        return max((*self.numbers(_MAX_VALUE), *self.numbers(_SAMPLE_MAX)), default=0)

    @property
    def kind(self) -> str:
        """What its samples are, where they are no unsigned whole numbers."""
        formats = {_FORMATS.get(number, "") for number in self.numbers(_SAMPLE_FORMAT)}
        return " and ".join(sorted(formats - {""}))

    @property
    def is_secondary(self) -> bool:
        """Whether it is flagged as an overview, or as a mask of another page."""
        return bool(self.number(_SUBFILE) & 5) or self.number(_OLD_SUBFILE) == 2


def find_pages(file: BinaryIO) -> Iterator[Page]:
    """The pages of a file; none where it is no TIFF, or its directory is damaged."""
    return (page for page in _find_directories(file) if page is not None)


def _find_directories(file: BinaryIO) -> Iterator[Page | None]:
    """The pages of a file; last None where a directory that should follow is damaged or cut off."""
    file.seek(0)
    head = file.read(8)
    if len(head) < 8 or head[:4] not in TIFF_STARTS:
        return
    if head[:4] in _BIG:
        head += file.read(8)
    directory = ImageFileDirectory_v2(head)
    visited = set[int]()
    while directory.next and directory.next not in visited and len(visited) < _MAX_PAGES:
        visited.add(directory.next)
        file.seek(directory.next)
        try:
            with silence_warnings():
                directory.load(file)
                tags = dict(directory)
        # what PIL's parser raises on damaged directories is no closed list
        except Exception:
            yield None
            return
        if _WIDTH not in tags or _HEIGHT not in tags:
            yield None  # cut off: PIL warns of it and goes on
            return
        yield Page(tags, "<" if directory.prefix == b"II" else ">")


def count_pages(file: BinaryIO) -> int:
    """Pages that are pictures of their own: no overviews, thumbnails or masks of another."""
    return max(1, len(_list_pictures(list(find_pages(file)))))


def list_page_numbers(file: BinaryIO) -> list[int]:
    """The numbers, from 0, of the pages that are pictures of their own, and of one whose directory
    is damaged, as it may be one: reading it says what is wrong.
    """
    pages = list(_find_directories(file))
    damaged = [number for number, page in enumerate(pages) if page is None]
    return [*_list_pictures([page for page in pages if page is not None]), *damaged]


def _list_pictures(pages: Sequence[Page]) -> list[int]:
    """The numbers of those that are neither overviews nor thumbnails or masks of another."""
    if not pages:
        return []
    height, width = pages[0].size
    others = [
        number
        for number, page in enumerate(pages[1:], 1)
        if not page.is_secondary
        and (page.size[0] > _OVERVIEW * height + 1 or page.size[1] > _OVERVIEW * width + 1)
    ]
    return [0, *others]


def is_raw_photo(first: Page) -> bool:
    """Whether the first page of a file is the small preview of a camera's raw data."""
    return first.is_secondary and _SUB_DIRECTORIES in first.tags


def find_page(file: BinaryIO, number: int = 0) -> Page | None:
    """A page by its number, from 0; None where the file is no TIFF, or has no such page."""
    return next(islice(find_pages(file), number, None), None)


def why_unreadable(page: Page) -> str:
    """Why the samples of a page cannot be read as a picture; empty where they can."""
    if page.kind and page.kind != _FORMATS[2]:
        return f"holds {page.kind} of {page.bits} bits"
    if page.bits not in (8, 16) or len(set(page.numbers(_BITS))) > 1:
        return f"holds {page.bits}-bit numbers in {_count_bands(page)}"
    photometric = page.number(_PHOTOMETRIC, _BLACK_IS_ZERO)
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        return f"holds {page.bits} bits in a colour space other than grey and RGB"
    if page.bands > 4:
        return f"has {page.bands} bands"
    if page.number(_COMPRESSION, 1) in _JPEG:
        return f"holds {page.bits}-bit numbers in {_count_bands(page)} of JPEG"
    return ""


def _count_bands(page: Page) -> str:
    return f"{page.bands} bands" if page.bands > 1 else "a band"


def is_misread(page: Page, bands: int) -> bool:
    """Whether PIL cuts, drops or misunderstands samples of a page that it opens as an image of
    `bands`: 16 bits of several bands, signed numbers, colours stored band by band.
    """
    if why_unreadable(page):
        return page.bits > 8 and page.bands > 1
    if page.bits == 16:
        return page.bands > 1
    return bool(page.kind) or page.colours > bands


def read_samples(data: bytes, page: Page) -> NDArray[Any]:
    """All samples of a page (H, W, bands) of the file `data`, whole numbers of 8 or 16 bits.

    PIL reads one band of 16 bits but not several: a second directory describes the same bytes as
    one band that is so many times as wide. Only for pages that `why_unreadable` finds nothing of.
    Raises what PIL raises for damaged files.
    """
    height, width = page.size
    if page.number(_PLANAR, 1) == 2 and page.bands > 1:
        planes = [_read_plane(data, page, band) for band in range(page.bands)]
        samples = np.stack(planes, axis=-1)
    else:
        samples = _read_plane(data, page, None).reshape(height, width, page.bands)
        if page.bands > 1 and page.number(_PREDICTOR, 1) == 2:
            samples = _undo_differences(samples, page)
    signed = np.int16 if page.bits == 16 else np.int8
    return samples.view(signed) if page.kind else samples


def _read_plane(data: bytes, page: Page, band: int | None) -> NDArray[Any]:
    """(H, W) of a band stored by itself, or (H, W * bands) of all side by side."""
    times = page.bands if band is None else 1
    tags: dict[int, tuple[int, ...]] = {
        _WIDTH: (page.number(_WIDTH) * times,),
        _HEIGHT: (page.number(_HEIGHT),),
        _BITS: (page.bits,),
        _COMPRESSION: (page.number(_COMPRESSION, 1),),
        _PHOTOMETRIC: (_BLACK_IS_ZERO,),
        _FILL_ORDER: (page.number(_FILL_ORDER, 1),),
        _BANDS: (1,),
        _PREDICTOR: (1 if times > 1 else page.number(_PREDICTOR, 1),),
    }
    for offsets, sizes in ((_STRIPS, _STRIP_SIZES), (_TILES, _TILE_SIZES)):
        for tag in (offsets, sizes):
            values = page.numbers(tag)
            if values:
                share = len(values) // page.bands
                tags[tag] = values if band is None else values[band * share : (band + 1) * share]
    if _TILES in tags:
        tags[_TILE_WIDTH] = (page.number(_TILE_WIDTH) * times,)
        tags[_TILE_HEIGHT] = (page.number(_TILE_HEIGHT),)
    else:
        tags[_ROWS_PER_STRIP] = (min(page.number(_ROWS_PER_STRIP, 2**31), page.number(_HEIGHT)),)
    with Image.open(io.BytesIO(_described(data, tags, page.byte_order))) as image:
        plane = np.asarray(image)
    return plane.astype(np.uint16 if page.bits == 16 else np.uint8)


def _described(data: bytes, tags: dict[int, tuple[int, ...]], byte_order: str) -> bytes:
    """The file with a directory of these tags at its end, which its header leads to."""
    start = len(data) + len(data) % 2
    directory_size = 2 + 12 * len(tags) + 4
    entries = [struct.pack(f"{byte_order}H", len(tags))]
    values = b""
    for tag in sorted(tags):
        packed = struct.pack(f"{byte_order}{len(tags[tag])}L", *tags[tag])
        inline = packed if len(packed) == 4 else b""
        place = struct.pack(f"{byte_order}L", start + directory_size + len(values))
        entries.append(struct.pack(f"{byte_order}HHL", tag, 4, len(tags[tag])) + (inline or place))
        values += b"" if inline else packed
    magic = b"II*\0" if byte_order == "<" else b"MM\0*"
    header = magic + struct.pack(f"{byte_order}L", start)
    padding = bytes(start - len(data))
    return b"".join((header, data[8:], padding, *entries, bytes(4), values))


def _undo_differences(samples: NDArray[Any], page: Page) -> NDArray[Any]:
    """Samples (H, W, bands) that are stored as differences from the pixel on their left, which
    starts anew in each tile.
    """
    step = page.number(_TILE_WIDTH) or samples.shape[1]
    restored = np.empty_like(samples)
    for left in range(0, samples.shape[1], step):
        columns = slice(left, left + step)
        # whole numbers of the samples' own size wrap around as they did when they were stored
        restored[:, columns] = np.cumsum(samples[:, columns], axis=1, dtype=samples.dtype)
    return restored
