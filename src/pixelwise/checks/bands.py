"""Findings about the bands of images that are no photos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pixelwise.datasets.band_statistics import find_layout, sample_values
from pixelwise.datasets.issue_kinds import Severity
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.io.band_files import read_bands
from pixelwise.io.band_layout import BandLayout, read_layout
from pixelwise.io.channels import complete_names

# Images whose values are looked at, evenly drawn.
_MAX_IMAGES = 200
# Values that programs write where there is none, beside the extremes of the type.
_NODATA_VALUES = (0.0, -1.0, 255.0, 9999.0, -9999.0, -99999.0, 65535.0)
# A share of a band's pixels that have such a value, and by how much of the others' span it lies
# apart from them.
_NODATA_SHARE = 0.01
_NODATA_GAP = 0.1
# A share of a band's pixels that have its greatest value, of so many different ones.
_SATURATED_SHARE = 0.05
_MIN_VALUES = 16
# Times that an image's median differs from that of the others.
_FAR = 10
_MIN_IMAGES = 3
# Bands are in another order where an image's medians lie so many deviations from the others', and
# within so many once they change places.
_OUT_OF_ORDER = 8
_IN_ORDER = 2


@dataclass(frozen=True)
class _BandSample:
    """Values of a band of an image that are some."""

    stats: PairStats
    name: str
    values: NDArray[np.float64]


def find_band_issues(pairs: Sequence[PairStats]) -> Iterator[Issue]:
    """What the bands of a set's images show; nothing where all are photos."""
    layouts = [(stats, read_layout(stats.pair.image)) for stats in pairs if stats.image]
    known = [(stats, layout) for stats, layout in layouts if layout is not None]
    if all(layout.is_photo for _, layout in known):
        return
    if are_trained_by_bands(pairs):
        for stats, layout in known:
            yield stats.image_issue("image-other-bands", layout.describe())
    yield from _find_unlike(layouts)
    samples = list[_BandSample]()
    step = -(-len(known) // _MAX_IMAGES)
    for stats, layout in known[::step]:
        samples += _sample(stats, layout)
    for sample in samples:
        yield from _check_values(sample)
    yield from _find_far(samples)
    yield from _find_swapped(samples)


def are_trained_by_bands(pairs: Sequence[PairStats]) -> bool:
    """Whether a training takes the images by their bands, and not as photos."""
    try:
        return find_layout(stats.pair for stats in pairs if stats.image) is not None
    except DataError:
        return False  # it refuses them


def _find_unlike(layouts: Sequence[tuple[PairStats, BandLayout | None]]) -> Iterator[Issue]:
    """Images of other bands or types than most: an error where one cannot be read as a photo."""
    kinds = ["a photo" if layout is None else _describe(layout) for _, layout in layouts]
    usual = max(set(kinds), key=kinds.count)
    all_have_rgb = all(layout is None or layout.has_rgb for _, layout in layouts)
    severity: Severity = "warning" if all_have_rgb else "error"
    for (stats, _), kind in zip(layouts, kinds, strict=True):
        if kind != usual:
            issue = stats.image_issue("bands-differ", f"{kind}, and most images {usual}")
            yield replace(issue, severity=severity)


def _describe(layout: BandLayout) -> str:
    named = f" ({', '.join(layout.names)})" if any(layout.names) else ""
    return layout.describe() + named


def _sample(stats: PairStats, layout: BandLayout) -> Iterator[_BandSample]:
    try:
        bands = read_bands(stats.pair.image)
    except (PixelwiseError, OSError):
        return  # it is a finding already
    names = complete_names(layout.names)
    for name, values in zip(names, sample_values(bands), strict=True):
        yield _BandSample(stats, name, values)


def _check_values(sample: _BandSample) -> Iterator[Issue]:
    """What the values of one band of one image show."""
    stats = sample.stats
    values = sample.values
    if not values.size:
        yield stats.image_issue("band-constant", f"{sample.name} has no value at all")
        return
    low = float(values.min())
    high = float(values.max())
    if low == high:
        yield stats.image_issue("band-constant", f"{sample.name} is {low:g} everywhere")
        return
    for value in (low, high):
        others = values[values != value]
        share = 1 - others.size / values.size
        if _may_be_nodata(value, others, share):
            text = f"{share:.0%} of {sample.name} are {value:g}, and the others "
            yield stats.image_issue("band-nodata", f"{text}{others.min():g} to {others.max():g}")
    share = float((values == high).mean())
    if share > _SATURATED_SHARE and np.unique(values).size >= _MIN_VALUES:
        text = f"{share:.0%} of {sample.name} are {high:g}, the most there is"
        yield stats.image_issue("band-saturated", text)


def _may_be_nodata(value: float, others: NDArray[np.float64], share: float) -> bool:
    if share < _NODATA_SHARE or others.size < _MIN_VALUES:
        return False
    is_usual = value in _NODATA_VALUES or abs(value) > np.finfo(np.float32).max / 2
    span = float(others.max() - others.min())
    gap = float(np.abs(others - value).min())
    return bool(is_usual and gap > _NODATA_GAP * span)


def _find_far(samples: Sequence[_BandSample]) -> Iterator[Issue]:
    """Images whose values are many times those of the others."""
    by_band = dict[str, list[_BandSample]]()
    for sample in samples:
        if sample.values.size:
            by_band.setdefault(sample.name, []).append(sample)
    for name, of_band in by_band.items():
        medians = np.array([np.median(sample.values) for sample in of_band])
        usual = float(np.median(medians))
        if len(of_band) < _MIN_IMAGES or usual <= 0:
            continue
        for sample, median in zip(of_band, medians, strict=True):
            if not usual / _FAR <= median <= usual * _FAR:
                text = f"the median of {name} is {median:g}, that of most images {usual:g}"
                yield sample.stats.image_issue("band-range", text)


def _find_swapped(samples: Sequence[_BandSample]) -> Iterator[Issue]:
    """Images whose bands have values that others of the set usually have."""
    medians = dict[int, dict[str, float]]()
    stats = {id(sample.stats): sample.stats for sample in samples}
    for sample in samples:
        if sample.values.size:
            medians.setdefault(id(sample.stats), {})[sample.name] = float(np.median(sample.values))
    names = tuple(next(iter(medians.values()), {}))
    whole = {key: tuple(own.values()) for key, own in medians.items() if tuple(own) == names}
    if len(whole) < _MIN_IMAGES or len(names) < 2:
        return
    table = np.array(list(whole.values()))
    usual = np.median(table, axis=0)
    # of a normal distribution, by the median of the distances; not less than a fiftieth of the span
    deviation = 1.4826 * np.median(np.abs(table - usual), axis=0)
    deviation = np.maximum(deviation, max(np.ptp(usual) / 50, np.finfo(np.float32).tiny))
    for key, own in zip(whole, table, strict=True):
        distances = np.abs(own[:, None] - usual) / deviation
        if np.diag(distances).max() < _OUT_OF_ORDER:
            continue
        order = linear_sum_assignment(distances)[1]
        if distances[np.arange(len(names)), order].max() < _IN_ORDER:
            fitting = ", ".join(names[number] for number in order)
            text = f"by their values its bands are {fitting}, and the others' {', '.join(names)}"
            yield stats[key].image_issue("band-order", text)
