"""A raster whose bands are the channels of a network, read by window."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.inference.raster import RasterPicture
from pixelwise.io.band_files import band_names, valid_values
from pixelwise.io.band_layout import data_bands
from pixelwise.io.band_pictures import find_order_notes, find_range_notes
from pixelwise.io.channels import FILL_REACH, Channels, Mask, valid_everywhere
from pixelwise.io.frames import note_of_pages
from pixelwise.io.images import Array
from pixelwise.io.reading_notes import ReadingNotes

# Pixels a side of the smaller copy in which the range of the values is looked at.
_SAMPLE_SIDE = 512

# Bytes of a pixel while a channel's values are scaled, or the nearest valid one is looked for.
_SCALED_BYTES = 24

Window = tuple[tuple[int, int], tuple[int, int]]


@dataclass
class BandRaster(RasterPicture):
    """An open raster as the pixels of a network of `channels`; the rule's are never None."""

    def __getitem__(self, window: tuple[slice, slice]) -> Array:
        """Pixels (h, w, channels) uint8 of a window of rows and columns. Raises ImageError where
        the file breaks off.
        """
        rows, columns = window
        # what is filled at the window's border may come from beyond it
        top = max(0, rows.start - FILL_REACH)
        left = max(0, columns.start - FILL_REACH)
        bottom = min(self.height, rows.stop + FILL_REACH)
        right = min(self.width, columns.stop + FILL_REACH)
        values, valid = self._read(((top, bottom), (left, right)))
        pixels = self._channels.to_pixels(values, None if valid.all() else valid)
        return pixels[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]

    def valid(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_]:
        """Where all bands of a window have values, (h, w). Raises as indexing does."""
        bottom = min(self.height, top + height)
        right = min(self.width, left + width)
        window = ((top, bottom), (left, right))
        if self._kind.kind == "f":  # whose values may be no numbers
            return valid_everywhere(self._read(window)[1])
        valid = np.ones((bottom - top, right - left), bool)
        with self._translated_errors(top):
            for number in self._numbers:  # all at once are as many bytes a pixel, and a row is wide
                valid &= self.dataset.read_masks(number, window=window) > 0
        return valid

    def to_rgb(self, pixels: Array) -> Array:
        """(H, W, 3) to look at, of pixels (H, W, channels)."""
        return self._channels.to_rgb(pixels)

    @property
    def bytes_per_pixel(self) -> int:
        """Of a row of tiles as GDAL keeps it."""
        return len(self._numbers) * int(self._kind.itemsize)

    def window_bytes(self, height: int, width: int) -> int:
        """What indexing needs for a window beside GDAL's cache: of each channel its values, where
        they are valid, and twice what becomes of them; and of one at a time floats or distances.
        """
        pixels = (height + 2 * FILL_REACH) * (width + 2 * FILL_REACH)
        channel_bytes = int(self._kind.itemsize) + 2 + 2
        return pixels * (self.channel_count * channel_bytes + _SCALED_BYTES)

    @property
    def channel_count(self) -> int:
        """Channels that indexing gives."""
        return len(self._numbers)

    @property
    def notes(self) -> ReadingNotes:
        """What reading does to it. Raises as indexing does."""
        step = max(1, max(self.height, self.width) // _SAMPLE_SIDE)
        shape = (len(self._numbers), self.height // step or 1, self.width // step or 1)
        with self._translated_errors(0):
            values = self.dataset.read(list(self._numbers), out_shape=shape)
            valid = self.dataset.read_masks(list(self._numbers), out_shape=shape) > 0
        if values.dtype.kind == "f":
            valid &= np.isfinite(values)
        pages = note_of_pages(self.path)
        return (
            *find_order_notes(self._channels, band_names(self.dataset)),
            *find_range_notes(values, valid, self._channels),
            *((pages,) if pages else ()),
        )

    def _read(self, window: Window) -> tuple[NDArray[Any], Mask]:
        """Values and where they are valid, both (channels, h, w)."""
        with self._translated_errors(window[0][0]):
            values = self.dataset.read(list(self._numbers), window=window)
            return values, valid_values(self.dataset, self._numbers, values, window)

    @property
    def _channels(self) -> Channels:
        assert self.rule.channels is not None
        return self.rule.channels

    @property
    def _kind(self) -> np.dtype[Any]:
        kind: np.dtype[Any] = np.dtype(self.dataset.dtypes[self._numbers[0] - 1])
        return kind

    @cached_property
    def _numbers(self) -> Sequence[int]:
        """The numbers of the bands in the file, by channel."""
        own = data_bands(self.dataset)
        numbers = self._channels.find_bands(str(self.path), band_names(self.dataset))
        return tuple(own[number - 1] for number in numbers)

    def check(self) -> None:
        """Raises ImageError where the file lacks a band."""
        _ = self._numbers
