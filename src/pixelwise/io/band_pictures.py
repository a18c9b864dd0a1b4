"""Files of any bands as pictures: for a network that takes these bands, and for people."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.io.band_files import BandValues, read_bands
from pixelwise.io.band_layout import BandLayout, BandSource
from pixelwise.io.channels import (
    COLOURS,
    Channels,
    Mask,
    choose_shown,
    complete_names,
    valid_everywhere,
)
from pixelwise.io.open_images import Array, describe
from pixelwise.io.picture import Picture
from pixelwise.io.reading_notes import ReadingNote, ReadingNotes

# Per cent of a band's values that are left out at either end where it is only shown.
_SHOWN_TAIL = 1
# Values looked at to find out in which range they lie.
_MAX_SAMPLE = 100_000
# Values beyond a band's window by more than its span are of another range than the training's; of
# a picture in which they are the greater part that is said. A window that was set may cut most of
# every picture, as air in computed tomography: then only where the training's pixels were others.
_MOST = 0.5
_NEARLY_ALL = 0.99
# Of a window, less than which an image hardly differs in: two of its 256 levels.
_FLAT = 1 / 128

_BANDS = "image-other-bands"
_RANGE = "image-range"


def read_channels(source: BandSource, layout: BandLayout, channels: Channels) -> Picture:
    """The picture of a file of bands for a network of `channels`. Raises ImageError for one that
    lacks some, and as `read_bands`.
    """
    numbers = channels.find_bands(describe(source), layout.names)
    bands = read_bands(source, numbers=numbers)
    picture = picture_of_values(bands.values, bands.valid, channels, layout)
    return replace(picture, notes=(*find_order_notes(channels, layout.names), *picture.notes))


def channels_of_photo(
    picture: Picture, values: NDArray[Any], channels: Channels, name: str
) -> Picture:
    """A photo for a network of `channels`, of its colours' values (H, W, 1 or 3). Raises ImageError
    for one that lacks some.
    """
    colours = COLOURS if values.shape[2] > 1 else ("",)
    numbers = channels.find_bands(name, colours)
    chosen = values[..., [number - 1 for number in numbers]].transpose(2, 0, 1)
    pixels = channels.to_pixels(chosen)
    notes = (*picture.notes, *find_range_notes(chosen, None, channels))
    return replace(picture, notes=notes, channels=pixels)


def picture_of_values(
    values: NDArray[Any],
    valid: Mask | None,
    channels: Channels,
    layout: BandLayout,
) -> Picture:
    """The picture of values (channels, H, W)."""
    pixels = channels.to_pixels(values, valid)
    notes = find_range_notes(values, valid, channels)
    return Picture(
        Image.fromarray(channels.to_rgb(pixels)),
        notes,
        "",
        layout.describe(),
        layout.size,
        1,
        1,
        channels=pixels,
        valid=None if valid is None else valid_everywhere(valid),
    )


def read_to_show(source: BandSource, layout: BandLayout) -> Picture:
    """A file of bands as people look at it: red, green and blue where bands are called so, else the
    first three, or the first; each from its hundredth smallest to its hundredth greatest part.
    """
    bands = read_bands(source)
    shown = choose_shown(complete_names(bands.names))
    pixels = np.stack([_stretch(bands, number) for number in shown], axis=-1)
    names = complete_names(bands.names)
    of = ", ".join(dict.fromkeys(names[number] for number in shown))
    done = f"shown by {of}, each from its 1st to its 99th percentile"
    note = ReadingNote(_BANDS, f"with {layout.describe()}", done)
    return Picture(
        Image.fromarray(pixels),
        (note,),
        "",
        layout.describe(),
        layout.size,
        1,
        1,
        valid=None if bands.valid is None else valid_everywhere(bands.valid),
    )


def find_order_notes(channels: Channels, names: Sequence[str]) -> ReadingNotes:
    """What is said of a file whose bands, of these names, have none."""
    if not channels.is_by_number(names):
        return ()
    done = f"taken in the order of the training's, {', '.join(channels.names)}"
    return (ReadingNote(_BANDS, "whose bands have no names", done),)


def find_range_notes(values: NDArray[Any], valid: Mask | None, channels: Channels) -> ReadingNotes:
    """What is said of values (channels, H, W) that are none, mostly of another range than the
    training's, or hardly differ in its windows, as of an image of one value alone, or of 0 to 1
    instead of 0 to 10000.
    """
    is_flat = True
    first_ends = (0.0, 0.0)
    for number, (band, name) in enumerate(zip(values, channels.names, strict=True)):
        sample = _sample(band, None if valid is None else valid[number])
        if not sample.size:
            return (ReadingNote(_RANGE, f"without any value in {name}", "void everywhere"),)
        low = channels.low[number]
        high = channels.high[number]
        span = high - low
        ends = np.percentile(sample, [_SHOWN_TAIL, 100 - _SHOWN_TAIL])
        is_flat = is_flat and ends[1] - ends[0] < _FLAT * span
        if number == 0:
            first_ends = ends[0], ends[1]
        outside = (sample < low - span) | (sample > high + span)
        share = np.clip((sample - low) / max(span, 1e-9), 0, 1).mean()
        is_other = abs(share - channels.mean[number]) > channels.std[number]
        if outside.mean() > (_MOST if is_other else _NEARLY_ALL):
            median = float(np.median(sample))
            what = f"whose {name} is about {median:g}"
            trained = f"far from the {low:g} to {high:g} of the training: do not trust the labels"
            return (ReadingNote(_RANGE, what, trained),)
    if is_flat and values[0].size > 1:
        what = f"whose {channels.names[0]} is {first_ends[0]:.4g} to {first_ends[1]:.4g} alone"
        window = f"{channels.low[0]:g} to {channels.high[0]:g}"
        done = f"flat in the {window} of the training: do not trust the labels"
        return (ReadingNote(_RANGE, what, done),)
    return ()


def _stretch(bands: BandValues, number: int) -> Array:
    """(H, W) uint8 of a band; 0 where it has no value."""
    band = bands.values[number]
    valid = None if bands.valid is None else bands.valid[number]
    sample = _sample(band, valid)
    low, high = np.percentile(sample, [_SHOWN_TAIL, 100 - _SHOWN_TAIL]) if sample.size else (0, 1)
    scaled = (band.astype(np.float32) - low) * (255 / max(high - low, 1e-9))
    pixels: Array = np.rint(np.nan_to_num(scaled).clip(0, 255)).astype(np.uint8)
    if valid is not None:
        pixels[~valid] = 0
    return pixels


def _sample(band: NDArray[Any], valid: Mask | None) -> NDArray[np.float64]:
    """Some values that are valid, from all over the band."""
    step = max(1, int(np.sqrt(band.size / _MAX_SAMPLE)))
    part = band[::step, ::step]
    chosen = part.ravel() if valid is None else part[valid[::step, ::step]]
    return np.asarray(chosen, np.float64)
