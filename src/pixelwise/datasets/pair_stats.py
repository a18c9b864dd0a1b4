"""What is kept of an image and its mask once they were decoded: so little that memory hardly grows
with the number of pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Colour
from pixelwise.datasets.edge_alignment import Fit
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_numbers import NODATA
from pixelwise.datasets.raw_mask import Values
from pixelwise.datasets.types import Pair
from pixelwise.io.images import Array
from pixelwise.io.reading_notes import ReadingNotes

Size = tuple[int, int]
"""(height, width)."""

Depth = Literal["masks", "sizes", "full"]
"""How much of a pair is measured: what its mask holds; also the image's size; also all that
findings need (hashes, tones, edges), which takes several times as long."""


@dataclass(frozen=True, slots=True)
class FileStats:
    """What a file is: sizes are upright and as stored; `orientation` is EXIF's (1 to 8).

    `content` is a hash of the pixels; it is empty where not all was measured.
    """

    size: Size
    stored: Size
    orientation: int
    mode: str
    format: str
    frames: int = 1
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class ImageStats:
    """An image: `low`, `high` are its least and greatest grey, `grey` says that R = G = B in a
    picture of colours, `tones` counts the colours of a sample; all as networks see it, and `notes`
    say what reading did to it. Only `file` and `notes` are measured unless `full`.
    """

    file: FileStats
    low: int = 0
    high: int = 0
    grey: bool = False
    tones: int = 0
    print: int = 0
    thumb: bytes = b""
    full: bool = False
    notes: ReadingNotes = ()


@dataclass(frozen=True, slots=True)
class MaskStats:
    """A mask.

    `table` (3, n) holds values, counts and solid of the most frequent values, in one array as there
    are many masks; `distinct` is the number of all values. `rgb`, `in_alpha`, `alpha`, `widened`,
    `zero_is_nodata` and `lossy` are those of RawMask. `overlaps` are pixels of two layers or
    shapes; `clipped` and `blank` are shapes cut at the border or without a pixel. Only if `full`:
    `between` is the share of borders that climb through a value in between, `rim` and `core` are
    the shares of the upper
    value at the rim and inside.
    """

    file: FileStats
    coloured: bool
    # int32: a set of a million masks holds their tables at once.
    table: NDArray[np.int32]
    distinct: int
    palette: tuple[Colour, ...] | None = None
    rgb: bool = False
    in_alpha: bool = False
    alpha: int | None = None
    widened: bool = False
    overlaps: int = 0
    clipped: int = 0
    blank: int = 0
    between: float = 0.0
    rim: float = 0.0
    core: float = 0.0
    full: bool = False
    zero_is_nodata: bool = False
    lossy: bool = False

    @property
    def drawn(self) -> set[int]:
        """The values of pixels that hold data."""
        return set(self.table[0].tolist()) - {NODATA}

    @property
    def values(self) -> Values:
        """(n,) numbers, or packed colours."""
        return np.asarray(self.table[0], np.int64)

    @property
    def counts(self) -> Values:
        """(n,) pixels of each value."""
        return np.asarray(self.table[1], np.int64)

    @property
    def solid(self) -> Values:
        """(n,) pixels of each value whose right and lower neighbours have it too."""
        return np.asarray(self.table[2], np.int64)


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that cannot be read: the type of issue, the file, the reason, and the error itself."""

    type: Literal["image-unreadable", "mask-unreadable"]
    file: Path
    reason: str
    error: Exception


@dataclass(frozen=True, slots=True)
class PairStats:
    """A pair: what was measured of both, what could not be read, and how they fit."""

    split: str
    pair: Pair
    image: ImageStats | None
    mask: MaskStats | None
    problems: tuple[Problem, ...] = ()
    fit: Fit | None = None

    def image_issue(self, type: str, text: str) -> Issue:
        """An issue of the image, which names its mask as well."""
        pair = self.pair
        return Issue(
            type,
            pair.image,
            text,
            image=pair.image,
            mask=pair.mask,
        )

    def mask_issue(
        self,
        type: str,
        text: str,
        *,
        position: tuple[int, int] | None = None,
        count: int = 1,
    ) -> Issue:
        """An issue of the mask, which names its image as well."""
        pair = self.pair
        return Issue(
            type,
            pair.mask,
            text,
            position,
            count,
            image=pair.image,
            mask=pair.mask,
        )


@dataclass(frozen=True)
class MaskSource:
    """Where values of masks come from: files, mattes, or what `draw` makes of an image's
    annotations, which are the files `annotations`.
    """

    matte: bool = False
    draw: Callable[[Path], Array] | None = None
    annotations: tuple[Path, ...] = ()
