"""Which bands the images of a data set have, and in which range their values lie."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.types import Pair, first
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.io.band_files import BandValues, read_bands
from pixelwise.io.band_layout import BandLayout, read_layout
from pixelwise.io.bit_depth import DEPTHS
from pixelwise.io.channels import Channels, complete_names

# Images that statistics are taken from, evenly drawn, and values of each band of one image.
_MAX_IMAGES = 200
_MAX_VALUES = 20_000
# Per mille of the values that are cut off at either end.
_TAIL = 1
# Standard deviations beside the mean, of the rule `deviation`.
_DEVIATIONS = 3
_EIGHT_BITS = "uint8"
_MIN_STD = 1 / 255
# Kinds of unlike images that an error names.
_MAX_KINDS = 3
# Of the range of a bit depth, how much is used by photos that it fits.
_USED = 0.5

PERCENTILE = "percentile"
DEVIATION = "deviation"
RANGE_RULES = (PERCENTILE, DEVIATION)


@dataclass(frozen=True)
class BandRange:
    """What is known of a band: values low to high become 0 to 255."""

    low: float
    high: float


def find_layout(pairs: Iterable[Pair], *, any_bands: bool = False) -> BandLayout | None:
    """The bands that all images have where some are no photos, or always with `any_bands`. None for
    photos, and where unlike images can all be read as such. Raises DataError for others.
    """
    layouts = {pair.image: read_layout(pair.image) for pair in pairs}
    known = {path: layout for path, layout in layouts.items() if layout is not None}
    banded = {path: layout for path, layout in known.items() if any_bands or not layout.is_photo}
    if not banded:
        if any_bands and layouts:
            raise DataError(
                f"{next(iter(layouts))}: is no TIFF file or NumPy array, whose bands could be "
                "chosen; leave out --bands"
            )
        return None
    kinds = {(layout.names, layout.kind) for layout in known.values()}
    if len(known) == len(layouts) and len(kinds) == 1:
        return next(iter(banded.values()))
    if not any_bands and all(layout.has_rgb for layout in banded.values()):
        return None
    raise DataError(_describe_unlike(layouts, banded))


def find_deep_layout(pairs: Iterable[Pair]) -> BandLayout | None:
    """The bands of photos that are all of 16 bits and alike; None for others."""
    layouts = {read_layout(pair.image) for pair in pairs}
    kinds = {None if layout is None else (layout.names, layout.kind) for layout in layouts}
    layout = next(iter(layouts), None)
    is_deep = len(kinds) == 1 and layout is not None and layout.kind == "uint16"
    return layout if is_deep else None


def uses_little(channels: Channels) -> bool:
    """Whether the values of some band use less than half of the range of their bit depth: read by
    that they would be dark, or without contrast.
    """
    bits = next((bits for bits in DEPTHS if max(channels.high) < 2**bits), max(DEPTHS))
    return any(
        high - low < _USED * 2**bits for low, high in zip(channels.low, channels.high, strict=True)
    )


def find_channels(
    pairs: Sequence[Pair], layout: BandLayout, *, bands: Sequence[str] = (), rule: str = PERCENTILE
) -> Channels:
    """The channels of a network for images of that layout: `bands` by name or number, or all; each
    with the range that `rule` finds in the images: `percentile` cuts off a thousandth at either
    end, `deviation` takes the mean and three standard deviations beside it, and `LOW,HIGH` is a
    range for all. Bands of 8 bits keep 0 to 255 unless a rule of another kind is given. Values that
    are none count nowhere. Raises ConfigError for a band or a rule that cannot be, DataError for
    images without any value.
    """
    names = complete_names(layout.names)
    numbers = choose_bands(names, bands)
    samples = _sample_all(pairs, numbers)
    low, high, words = _find_range(samples, layout.kind, rule)
    shares = [
        np.clip((sample - floor) / (ceiling - floor), 0, 1)
        for sample, floor, ceiling in zip(samples, low, high, strict=True)
    ]
    return Channels(
        names=tuple(names[number - 1] for number in numbers),
        bands=numbers,
        low=low,
        high=high,
        mean=tuple(round(float(share.mean()), 4) for share in shares),
        std=tuple(round(max(float(share.std()), _MIN_STD), 4) for share in shares),
        count=len(names),
        kind=layout.kind,
        rule=words,
    )


def choose_bands(names: Sequence[str], bands: Sequence[str]) -> tuple[int, ...]:
    """The numbers, from 1, of the bands that are asked for by name or number; all if none are.
    Raises ConfigError.
    """
    numbers = []
    for band in bands:
        if band.lower() in names:
            numbers.append(names.index(band.lower()) + 1)
        elif band.isdigit() and 1 <= int(band) <= len(names):
            numbers.append(int(band))
        else:
            raise ConfigError(
                f"bands {','.join(bands)}: the images have no band '{band}'; they have "
                f"{len(names)}: {', '.join(names)}"
            )
    twice = [band for band, count in Counter(numbers).items() if count > 1]
    if twice:
        raise ConfigError(f"bands {','.join(bands)}: band {twice[0]} is named twice")
    return tuple(numbers) or tuple(range(1, len(names) + 1))


def parse_range(rule: str) -> BandRange | None:
    """The range that `LOW,HIGH` means; None for a rule by name. Raises ConfigError."""
    if rule in RANGE_RULES:
        return None
    try:
        low, high = map(float, rule.split(","))
        is_range = low < high and bool(np.isfinite([low, high]).all())
    except ValueError:
        is_range = False
    if not is_range:
        raise ConfigError(
            f"value_range {rule}: choose {', '.join(RANGE_RULES)}, or LOW,HIGH with LOW below "
            "HIGH, such as 0,4000"
        )
    return BandRange(low, high)


def sample_values(bands: BandValues) -> list[NDArray[np.float64]]:
    """Some values of each band, from all over the image, without those that are none."""
    count, height, width = bands.values.shape
    step = max(1, int(np.sqrt(height * width / _MAX_VALUES)))
    sample = []
    for number in range(count):
        part = bands.values[number, ::step, ::step]
        if bands.valid is not None:
            part = part[bands.valid[number, ::step, ::step]]
        sample.append(np.asarray(part, np.float64).ravel())
    return sample


def _sample_all(pairs: Sequence[Pair], numbers: Sequence[int]) -> list[NDArray[np.float64]]:
    step = -(-len(pairs) // _MAX_IMAGES)
    parts: list[list[NDArray[np.float64]]] = [[] for _ in numbers]
    for pair in pairs[::step]:
        try:
            bands = read_bands(pair.image, numbers=numbers)
        except ImageError:
            continue  # the scan that follows says what is wrong
        for part, sample in zip(parts, sample_values(bands), strict=True):
            part.append(sample)
    samples = [np.concatenate(part) if part else np.empty(0) for part in parts]
    for number, sample in zip(numbers, samples, strict=True):
        if not sample.size:
            raise DataError(
                f"{pairs[0].image} and the images beside it hold no value in band {number}: all "
                "is nodata or not a number"
            )
    return samples


def _find_range(
    samples: Sequence[NDArray[Any]], kind: str, rule: str
) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Low and high of each band, and how they were found."""
    fixed = parse_range(rule)
    if fixed is not None:
        count = len(samples)
        words = f"{fixed.low:g} to {fixed.high:g} as set"
        return (fixed.low,) * count, (fixed.high,) * count, words
    if rule == DEVIATION:
        pairs = [_beside_mean(sample) for sample in samples]
        words = f"the mean and {_DEVIATIONS} standard deviations beside it"
    elif kind == _EIGHT_BITS:
        return (0.0,) * len(samples), (255.0,) * len(samples), "8 bits as they are"
    else:
        ends = (_TAIL / 10, 100 - _TAIL / 10)
        pairs = [_percentiles(sample, ends) for sample in samples]
        words = f"all but {_TAIL} per mille of the values at either end"
    low = tuple(pair[0] for pair in pairs)
    high = tuple(max(pair[1], np.nextafter(pair[0], np.inf)) for pair in pairs)
    return low, tuple(map(float, high)), words


def _percentiles(sample: NDArray[Any], ends: tuple[float, float]) -> tuple[float, float]:
    low, high = np.percentile(sample, ends)
    return float(low), float(high)


def _beside_mean(sample: NDArray[Any]) -> tuple[float, float]:
    reach = _DEVIATIONS * float(sample.std())
    mean = float(sample.mean())
    return mean - reach, mean + reach


def _describe_unlike(layouts: dict[Path, BandLayout | None], banded: dict[Path, BandLayout]) -> str:
    """The error for images of unlike bands or types, some of which may be photos."""
    photos = [path.name for path, layout in layouts.items() if layout is None]
    if photos:
        name, own = next((path.name, layout.describe()) for path, layout in banded.items())
        return (
            f"{len(banded)} images have bands of their own, such as {name} ({own}), and "
            f"{len(photos)} are photos, such as {first(photos)}: keep one kind, or save all as "
            "TIFF of the same bands"
        )
    kinds = dict[tuple[tuple[str, ...], str], list[Path]]()
    for path, layout in layouts.items():
        if layout is not None:
            kinds.setdefault((layout.names, layout.kind), []).append(path)
    parts = []
    for paths in sorted(kinds.values(), key=len, reverse=True)[:_MAX_KINDS]:
        known = layouts[paths[0]]
        described = "" if known is None else _describe(known)
        parts.append(f"{len(paths)} of {described}, such as {paths[0].name}")
    return (
        f"the images have unlike bands: {'; '.join(parts)}; keep those of one kind, or save all "
        "with the same bands and type"
    )


def _describe(layout: BandLayout) -> str:
    named = f" ({', '.join(layout.names)})" if any(layout.names) else ""
    return layout.describe() + named
