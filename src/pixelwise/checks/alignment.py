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

# Agreement (standard deviations above other places) from which a place is clear, and by how much it
# must be better than the labels' own place; the gain of the plain correlation likewise.
_CLEAR = 3.0
_BETTER = 1.0
_MIN_GAIN = 0.1
# Shifts that are told, in pixels of the small picture: nearer is drawing, farther is chance.
_NEAREST = 2
_FARTHEST = 14
_TURN_CLEAR = 2.7
_TURN_BETTER = 1.7
# Below this, and this many quartile ranges below the set's median, labels do not fit.
_LOWEST = 0.3
_QUARTILE_RANGES = 3.5
_MIN_PAIRS = 8
_SET_LOWEST = 1.6


def find_alignment_issues(pairs: Sequence[PairStats]) -> Iterator[Issue]:
    """Shifted, mirrored and unfitting labels, of single pairs and of the whole set."""
    fits = [(stats, stats.fit) for stats in pairs if stats.fit]
    enough = len(fits) >= _MIN_PAIRS
    set_issues = list(_check_set([fit for _, fit in fits])) if enough else []
    yield from set_issues
    low = _LOWEST
    if enough:
        agreements = np.array([fit.in_place for _, fit in fits])
        quarter, middle, upper = np.quantile(agreements, [0.25, 0.5, 0.75])
        low = max(_LOWEST, float(middle - _QUARTILE_RANGES * (upper - quarter)))
    # What holds for the whole set is not said again of each pair.
    known = {issue.type.replace("masks-", "mask-") for issue in set_issues}
    for stats, fit in fits:
        issue = _check_pair(stats, fit, low)
        if issue and issue.type not in known and "mask-misfit" not in known:
            yield issue


def _check_pair(stats: PairStats, fit: Fit, low: float) -> Issue | None:
    turned = (
        fit.turned >= _TURN_CLEAR
        and fit.turned - fit.in_place >= _TURN_BETTER
        and fit.turned > fit.best - 0.5
    )
    if turned:
        text = f"fits {fit.turned:.1f} {fit.turn}, {fit.in_place:.1f} as it is"
        return _issue(stats, "mask-mirrored", text)
    # What fits nowhere as well as is usual is no shift.
    shifted = (
        fit.best >= max(_CLEAR, low)
        and fit.best - fit.in_place >= _BETTER
        and fit.gain >= _MIN_GAIN
        and _NEAREST <= max(map(abs, fit.near)) <= _FARTHEST
    )
    if shifted:
        down, right = fit.shift
        text = (
            f"fits {fit.best:.1f} when moved by about {down:+} rows and {right:+} columns, "
            f"{fit.in_place:.1f} as it is"
        )
        return _issue(stats, "mask-shifted", text)
    if fit.in_place < low:
        text = f"agreement {fit.in_place:.1f}, where at least {low:.1f} is usual"
        return _issue(stats, "mask-misfit", text)
    return None


def _issue(stats: PairStats, type: str, text: str) -> Issue:
    pair = stats.pair
    return Issue(type, pair.mask, text, image=pair.image, mask=pair.mask)


def _check_set(fits: Sequence[Fit]) -> Iterator[Issue]:
    clear = [fit for fit in fits if fit.best >= _CLEAR]
    place, count = _common_place(Counter(fit.near for fit in clear))
    turns = Counter(
        fit.turn for fit in fits if fit.turned >= _TURN_CLEAR and fit.turned > fit.in_place + 1
    )
    turn, turned = turns.most_common(1)[0] if turns else ("", 0)
    agreement = float(np.median([fit.in_place for fit in fits]))
    if 2 * turned > len(fits):
        text = f"{turned} of {len(fits)} fit better {turn}"
        yield Issue("masks-mirrored", None, text, count=turned)
    elif place != (0, 0) and 2 * count > len(clear) and 2 * len(clear) > len(fits):
        shifts = [fit.shift for fit in clear if _are_neighbours(fit.near, place)]
        down, right = np.median(shifts, axis=0)
        text = (
            f"{count} of {len(fits)} fit best when moved by about {down:+.0f} rows and "
            f"{right:+.0f} columns"
        )
        yield Issue("masks-shifted", None, text, count=count)
    elif agreement < _SET_LOWEST:
        text = f"agreement {agreement:.1f} in the median of {len(fits)} pairs"
        yield Issue("masks-misfit", None, text, count=len(fits))


def _common_place(places: Counter[tuple[int, int]]) -> tuple[tuple[int, int], int]:
    """Where most fit best, and how many: that place alone beside the middle, with its neighbours
    elsewhere.
    """
    if not places:
        return (0, 0), 0
    sums = {
        place: sum(count for near, count in places.items() if _are_neighbours(near, place))
        for place in places
    }
    far = {place: n for place, n in sums.items() if not _are_neighbours(place, (0, 0))}
    place, count = max(
        far.items(), key=lambda item: (item[1], places[item[0]]), default=((0, 0), 0)
    )
    alone, single = places.most_common(1)[0]
    return (place, count) if count > single else (alone, single)


def _are_neighbours(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return abs(a[0] - b[0]) <= 1 and abs(a[1] - b[1]) <= 1
