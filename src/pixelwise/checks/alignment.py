"""Findings about labels that lie elsewhere than the things in the image: suspicions, for a person
to judge.

The thresholds leave next to nothing of CamVid, Pascal VOC and portraits
(benchmarks/results/clinic.md has the counts).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from pixelwise.datasets.edge_alignment import Fit
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pair_stats import PairStats

_SURE = 3.0
_BETTER = 1.0
_GAIN = 0.1
_NEAREST = 2
_FARTHEST = 14
_TURN_SURE = 2.7
_TURN_BETTER = 1.7
_LOWEST = 0.3
_SPREADS = 3.5
_ENOUGH = 8
_SET_LOW = 1.6


def find_alignment_issues(pairs: Sequence[PairStats]) -> Iterator[Issue]:
    """Shifted, mirrored and unfitting labels, of single pairs and of the whole set."""
    fits = [(stats, stats.fit) for stats in pairs if stats.fit]
    whole = set(_whole(pairs, [fit for _, fit in fits])) if len(fits) >= _ENOUGH else set()
    yield from whole
    here = np.array([fit.here for _, fit in fits])
    low = _LOWEST
    if len(fits) >= _ENOUGH:
        quarter, middle, upper = np.quantile(here, [0.25, 0.5, 0.75])
        low = max(_LOWEST, float(middle - _SPREADS * (upper - quarter)))
    set_types = {issue.type.replace("masks-", "mask-") for issue in whole}
    for stats, fit in fits:
        issue = _pair(stats, fit, low)  # what fits nowhere as well as is usual is no shift
        if issue and issue.type not in set_types and "mask-misfit" not in set_types:
            yield issue


def _pair(stats: PairStats, fit: Fit, low: float) -> Issue | None:
    pair = stats.pair
    far = max(map(abs, fit.near))
    if (
        fit.turned >= _TURN_SURE
        and fit.turned - fit.here >= _TURN_BETTER
        and fit.turned > fit.best - 0.5
    ):
        text = f"fits {fit.turned:.1f} {fit.turn}, {fit.here:.1f} as it is"
        return Issue("mask-mirrored", pair.mask, text, image=pair.image, mask=pair.mask)
    if (
        fit.best >= max(_SURE, low)
        and fit.best - fit.here >= _BETTER
        and fit.gain >= _GAIN
        and _NEAREST <= far <= _FARTHEST
    ):
        return Issue("mask-shifted", pair.mask, _moved(fit), image=pair.image, mask=pair.mask)
    if fit.here < low:
        text = f"agreement {fit.here:.1f}, where at least {low:.1f} is usual"
        return Issue("mask-misfit", pair.mask, text, image=pair.image, mask=pair.mask)
    return None


def _moved(fit: Fit) -> str:
    down, right = fit.shift
    return (
        f"fits {fit.best:.1f} when moved by about {down:+} rows and {right:+} columns, "
        f"{fit.here:.1f} as it is"
    )


def _whole(pairs: Sequence[PairStats], fits: Sequence[Fit]) -> Iterator[Issue]:
    clear = [fit for fit in fits if fit.best >= _SURE]
    places = Counter(fit.near for fit in clear)
    place, count = _common_place(places)
    turns = Counter(
        fit.turn for fit in fits if fit.turned >= _TURN_SURE and fit.turned > fit.here + 1
    )
    turn, turned = turns.most_common(1)[0] if turns else ("", 0)
    if 2 * turned > len(fits):
        yield Issue(
            "masks-mirrored", None, f"{turned} of {len(fits)} fit better {turn}", count=turned
        )
    elif place != (0, 0) and 2 * count > len(clear) and 2 * len(clear) > len(fits):
        middle = np.median([fit.shift for fit in clear if _beside(fit.near, place)], axis=0)
        text = (
            f"{count} of {len(fits)} fit best when moved by about {middle[0]:+.0f} rows and "
            f"{middle[1]:+.0f} columns"
        )
        yield Issue("masks-shifted", None, text, count=count)
    elif float(np.median([fit.here for fit in fits])) < _SET_LOW:
        middle_fit = float(np.median([fit.here for fit in fits]))
        yield Issue(
            "masks-misfit",
            None,
            f"agreement {middle_fit:.1f} in the median of {len(fits)} pairs",
            count=len(fits),
        )


def _common_place(places: Counter[tuple[int, int]]) -> tuple[tuple[int, int], int]:
    """Where most fit best, and how many: that place alone beside the middle, with its neighbours
    elsewhere.
    """
    if not places:
        return (0, 0), 0
    sums = {
        place: sum(n for other, n in places.items() if _beside(other, place)) for place in places
    }
    far = {place: n for place, n in sums.items() if not _beside(place, (0, 0))}
    place, count = max(
        far.items(), key=lambda item: (item[1], places[item[0]]), default=((0, 0), 0)
    )
    alone, single = places.most_common(1)[0]
    return (place, count) if count > single else (alone, single)


def _beside(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return abs(a[0] - b[0]) <= 1 and abs(a[1] - b[1]) <= 1
