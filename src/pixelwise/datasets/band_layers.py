"""Layers of classes that overlap from masks of a band a class (multi-hot)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.classes import VOID, Classes, name_of_value
from pixelwise.datasets.class_files import DeclaredClasses
from pixelwise.datasets.types import first
from pixelwise.errors import DataError, ImageError
from pixelwise.io.band_files import read_bands
from pixelwise.io.band_layout import read_layout
from pixelwise.io.images import Array
from pixelwise.palette import BACKGROUND_COLOUR, BACKGROUND_NAMES, default_palette


@dataclass(frozen=True)
class BandLayers:
    """Reads a mask whose bands are layers: 0, and one other value where a pixel is of the class;
    what is nodata in a band is void.
    """

    classes: int

    def __call__(self, path: Path) -> Array:
        """(C, H, W). Raises ImageError for another number of bands, and for a band of other
        values.
        """
        bands = read_bands(path)
        count = len(bands.values)
        if count != self.classes:
            raise ImageError.of_file(
                path, f"has {count} bands, but there are {self.classes} classes"
            )
        layers = np.zeros(bands.values.shape, np.uint8)
        for number, values in enumerate(bands.values):
            valid = np.ones(values.shape, bool) if bands.valid is None else bands.valid[number]
            drawn = np.unique(values[valid & (values != 0)])
            if len(drawn) > 1:
                raise ImageError.of_file(
                    path,
                    f"band {number + 1} holds {len(drawn)} values besides 0, such as {drawn[0]} "
                    f"and {drawn[1]}",
                    "a band a class holds 0 and 1, or 0 and 255",
                )
            layers[number] = np.where(valid, values != 0, VOID)
        return layers


def count_bands(mask: Path) -> int:
    """Bands of a mask; 1 for a file of no bands."""
    layout = read_layout(mask)
    return 1 if layout is None else len(layout.names)


def name_bands(mask: Path, declared: DeclaredClasses) -> Classes:
    """The classes of a mask's bands: as a classes file lists them, a background that it has apart,
    else as the bands are called, else by their number. Raises DataError for a list of another
    length.
    """
    layout = read_layout(mask)
    names = layout.names if layout else ("",)
    entries = list(declared.classes)
    if len(entries) == len(names) + 1 and entries[0].name.lower() in BACKGROUND_NAMES:
        del entries[0]
    if entries and len(entries) != len(names):
        raise DataError(
            f"{declared.source}: lists {len(entries)} classes "
            f"({first(entry.name for entry in entries)}), but {mask} has {len(names)} bands; list "
            "one class a band, in their order"
        )
    if entries:
        names = tuple(entry.name for entry in entries)
    elif not all(names) or len(set(names)) < len(names):
        names = tuple(name_of_value(number) for number in range(1, len(names) + 1))
    return Classes(names, _colours(names, [entry.colour for entry in entries]))


def _colours(
    names: tuple[str, ...], declared: Sequence[tuple[int, int, int] | None]
) -> tuple[tuple[int, int, int], ...]:
    """As declared, or the usual ones, without that of a background."""
    usual = default_palette(("background", *names))[1:]
    colours = declared or [None] * len(names)
    pairs = zip(colours, usual, strict=True)
    return tuple(own if own and own != BACKGROUND_COLOUR else default for own, default in pairs)
