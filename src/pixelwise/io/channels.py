"""The bands of a picture as the channels of a network: which ones, and the window of values that
becomes 0 to 255.

A network of RGB photos needs none of this. One that is trained on other bands keeps a `Channels`
in its file, and every picture that it sees later is read by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.errors import ImageError
from pixelwise.io.open_images import Array

Mask = NDArray[np.bool_]

FILL_REACH = 16
"""Pixels without a value take that of the nearest pixel up to so far away, and else the mean of
their band: so that no filter that runs over them sees an edge that is none."""

COLOURS = ("red", "green", "blue")

# Values of 16 bits are looked up where there are more pixels than values.
_TABLED = (np.uint16, np.int16)
_TABLE_SIZE = 1 << 16

# A band without a name, by its number.
_UNNAMED = "band {}"


@dataclass(frozen=True)
class Channels:
    """The input channels of a network, in order.

    names: of the bands, `band 1` and so on where files name none. bands: their numbers in the
    files of the training, from 1. low, high: the values that become 0 and 255; those beyond are
    cut. mean, std: of the training's pixels after that, as shares of 255. count: bands that the
    training's files had, without alpha. kind: NumPy's name of their type. rule: how low and high
    were found, in words.
    """

    names: tuple[str, ...]
    bands: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    count: int
    kind: str
    rule: str

    def __len__(self) -> int:
        return len(self.bands)

    def __str__(self) -> str:
        parts = [
            f"{name} {low:g} to {high:g}"
            for name, low, high in zip(self.names, self.low, self.high, strict=True)
        ]
        return ", ".join(parts)

    def to_header(self) -> dict[str, Any]:
        """As it stands in a model file, JSON's types alone."""
        return asdict(self)

    @classmethod
    def from_header(cls, header: Mapping[str, Any] | None) -> Self | None:
        """That of `to_header`; None for none. Raises TypeError or ValueError for one that is
        damaged.
        """
        if header is None:
            return None
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in header.items()
        }
        channels = cls(**values)
        rows = (channels.names, channels.low, channels.high, channels.mean, channels.std)
        if not channels.bands or any(len(row) != len(channels) for row in rows):
            raise ValueError("its channels are not of one number")
        return channels

    def find_bands(self, name: str, file_names: Sequence[str]) -> tuple[int, ...]:
        """The numbers, from 1, of the bands in a file called `name` whose bands are called
        `file_names` ('' for one without a name): by name where all of the channels' own are names,
        else by number. Raises ImageError, with the names of both, for a file that lacks some.
        """
        named = [band for band in file_names if band]
        own_are_names = not any(map(_is_unnamed, self.names))
        if named and own_are_names:
            missing = [band for band in self.names if band not in file_names]
            if not missing:
                return tuple(file_names.index(band) + 1 for band in self.names)
            raise ImageError.of_file(
                name,
                f"has no band {', '.join(missing)}: its bands are {describe_bands(file_names)}",
                f"the model takes {', '.join(self.names)}",
            )
        if len(file_names) == self.count:
            return self.bands
        if len(file_names) == len(self):
            return tuple(range(1, len(self) + 1))
        raise ImageError.of_file(
            name,
            f"has {_count(len(file_names), 'band')} ({describe_bands(file_names)})",
            f"the model takes {', '.join(self.names)}, which were bands "
            f"{', '.join(map(str, self.bands))} of {self.count}",
        )

    def is_by_number(self, file_names: Sequence[str]) -> bool:
        """Whether the bands of a file are found by number alone, though the channels have names."""
        return not any(file_names) and not any(map(_is_unnamed, self.names))

    def to_pixels(self, values: NDArray[Any], valid: Mask | None = None) -> Array:
        """(H, W, channels) uint8 of values (channels, H, W) as files hold them; where not `valid`,
        of the same shape, they are filled as FILL_REACH says.
        """
        pixels = np.empty((*values.shape[1:], len(self)), np.uint8)
        for number, band in enumerate(values):
            if band.dtype in _TABLED and band.size > _TABLE_SIZE:
                table = self._scale(
                    number, np.arange(_TABLE_SIZE, dtype=np.uint16).view(band.dtype)
                )
                pixels[..., number] = table[band.view(np.uint16)]
            else:
                pixels[..., number] = self._scale(number, band)
        if valid is not None and not valid.all():
            self._fill(pixels, valid)
        return pixels

    def _scale(self, number: int, band: NDArray[Any]) -> Array:
        """uint8 of a channel's values."""
        low = self.low[number]
        span = self.high[number] - low
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = (band.astype(np.float32) - np.float32(low)) * np.float32(255 / span)
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
        pixels: Array = np.rint(scaled.clip(0, 255)).astype(np.uint8)
        return pixels

    def to_rgb(self, pixels: Array) -> Array:
        """(H, W, 3) uint8 to look at, of pixels (H, W, channels): red, green and blue where they
        are called so, else the first three, or the first as grey.
        """
        return np.ascontiguousarray(pixels[..., list(choose_shown(self.names))])

    def _fill(self, pixels: Array, valid: Mask) -> None:
        """Fill what is not valid, in place."""
        for number, known in enumerate(valid):
            if known.all():
                continue
            band = pixels[..., number]
            filled = np.full_like(band, round(255 * self.mean[number]))
            if known.any():
                distance, nearest = ndimage.distance_transform_edt(~known, return_indices=True)
                near = distance <= FILL_REACH
                filled[near] = band[tuple(index[near] for index in nearest)]
            band[~known] = filled[~known]


@dataclass(frozen=True)
class ReadingRule:
    """How pictures are brought to what a network takes.

    common_bits: the depth by which values of more than 8 bits are read, 0 for each file's own.
    channels: which bands are read, and by which window; None for RGB. shows_bands: whether a file
    whose bands are no grey or RGB is read as it is shown (`show_bands`), rather than refused.
    """

    common_bits: int = 0
    channels: Channels | None = None
    shows_bands: bool = False

    def to_header(self) -> dict[str, Any]:
        """As a model file keeps it, for `reading_rule`."""
        header: dict[str, Any] = {"common_bits": self.common_bits}
        if self.channels is not None:
            header["channels"] = self.channels.to_header()
        return header


RGB = ReadingRule()
"""Pictures of 8 bits, or of more by each file's own depth."""


def reading_rule(reading: Mapping[str, Any]) -> ReadingRule:
    """The rule that a model file's header tells of its training's pictures."""
    bits = reading.get("common_bits", 0)
    return ReadingRule(
        bits if isinstance(bits, int) else 0, Channels.from_header(reading.get("channels"))
    )


TO_SHOW = ReadingRule(shows_bands=True)
"""Any picture, as people look at it."""


def choose_shown(names: Sequence[str]) -> tuple[int, ...]:
    """The three positions among bands of these names that are shown as red, green and blue."""
    if all(colour in names for colour in COLOURS):
        return tuple(names.index(colour) for colour in COLOURS)
    return (0, 1, 2) if len(names) >= len(COLOURS) else (0, 0, 0)


def complete_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of bands; those without one, or with that of another, are called by number."""
    return tuple(
        name if name and names.count(name) == 1 else _UNNAMED.format(number)
        for number, name in enumerate(names, 1)
    )


def valid_everywhere(valid: Mask) -> Mask:
    """Where all bands are valid, (H, W) of (bands, H, W)."""
    return np.asarray(np.logical_and.reduce(valid, axis=0))


def describe_bands(names: Sequence[str]) -> str:
    """The bands of a file in words."""
    return ", ".join(complete_names(names))


def _is_unnamed(name: str) -> bool:
    return name.startswith(_UNNAMED.format("")) and name[len(_UNNAMED.format("")) :].isdigit()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
