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

Place = tuple[int, int]
"""A displacement in pixels of the small picture: (rows, columns)."""

# Agreement (standard deviations above other places) from which a place is clear, and by how much it
# must be better than the labels' own place; the gain of the plain correlation likewise. Lower ones
# would report VOC masks of fur and grass, whose strongest edges lie beside the outline.
_CLEAR = 3.0
_BETTER = 1.0
_MIN_GAIN = 0.1
# Shifts that are reported, in pixels of the small picture: nearer is drawing, farther is chance.
_NEAREST = 2
_FARTHEST = 14
_TURN_CLEAR = 2.7
_TURN_BETTER = 1.7
# A turned mask must not lie clearly worse than the best displacement: else it is a shift.
_TURN_SLACK = 0.5
# For a whole set a smaller advantage of each pair is enough: chance does not repeat itself.
_SET_TURN_BETTER = 1.0
# Below this, and this many quartile ranges below the set's median, labels do not fit.
_LOWEST = 0.3
_QUARTILE_RANGES = 3.5
# With fewer pairs than this, the set has no usual agreement to compare with.
_MIN_PAIRS = 8
_SET_LOWEST = 1.6


def find_alignment_issues(pairs: Sequence[PairStats]) -> Iterator[Issue]:
    """Shifted, mirrored and unfitting labels, of single pairs and of the whole set."""
    measured = [(stats, stats.fit) for stats in pairs if stats.fit]
    fits = [fit for _, fit in measured]
    set_issues = list(_check_set(fits)) if len(fits) >= _MIN_PAIRS else []
    yield from set_issues
    lowest = _lowest_usual(fits)
    # What holds for the whole set is not repeated for each pair.
    known = {issue.type.replace("masks-", "mask-") for issue in set_issues}
    if "mask-misfit" in known:
        return
    for stats, fit in measured:
        issue = _check_pair(stats, fit, lowest)
        if issue and issue.type not in known:
            yield issue


def _lowest_usual(fits: Sequence[Fit]) -> float:
    """The agreement below which a pair is reported.

    Quartiles, as a few wrong masks would move mean and deviation towards themselves.
    """
    if len(fits) < _MIN_PAIRS:
        return _LOWEST
    agreements = np.array([fit.in_place for fit in fits])
    lower, median, upper = np.quantile(agreements, [0.25, 0.5, 0.75])
    return max(_LOWEST, float(median - _QUARTILE_RANGES * (upper - lower)))


def _check_pair(
    stats: PairStats,
    fit: Fit,
    lowest: float,
) -> Issue | None:
    if _is_turned(fit):
        text = f"fits {fit.turned:.1f} {fit.turn}, {fit.in_place:.1f} as it is"
        return stats.mask_issue("mask-mirrored", text)
    if _is_shifted(fit, lowest):
        down, right = fit.shift
        text = (
            f"fits {fit.best:.1f} when moved by about {down:+} rows and {right:+} columns, "
            f"{fit.in_place:.1f} as it is"
        )
        return stats.mask_issue("mask-shifted", text)
    if fit.in_place < lowest:
        text = f"agreement {fit.in_place:.1f}, where at least {lowest:.1f} is usual"
        return stats.mask_issue("mask-misfit", text)
    return None


def _is_turned(fit: Fit) -> bool:
    return (
        fit.turned >= _TURN_CLEAR
        and fit.turned - fit.in_place >= _TURN_BETTER
        and fit.turned > fit.best - _TURN_SLACK
    )


def _is_shifted(fit: Fit, lowest: float) -> bool:
    distance = max(map(abs, fit.near))
    return (
        # What fits nowhere as well as is usual is no shift.
        fit.best >= max(_CLEAR, lowest)
        and fit.best - fit.in_place >= _BETTER
        and fit.gain >= _MIN_GAIN
        and _NEAREST <= distance <= _FARTHEST
    )


def _check_set(fits: Sequence[Fit]) -> Iterator[Issue]:
    """At most one issue of the whole set: the first explanation that most pairs share."""
    turn, turned = _common_turn(fits)
    if 2 * turned > len(fits):
        text = f"{turned} of {len(fits)} fit better {turn}"
        yield Issue("masks-mirrored", None, text, count=turned)
        return
    clear = [fit for fit in fits if fit.best >= _CLEAR]
    place, count = _common_place(Counter(fit.near for fit in clear))
    mostly_clear = 2 * len(clear) > len(fits)
    if place != (0, 0) and 2 * count > len(clear) and mostly_clear:
        shifts = [fit.shift for fit in clear if _are_neighbours(fit.near, place)]
        down, right = np.median(shifts, axis=0)
        text = (
            f"{count} of {len(fits)} fit best when moved by about {down:+.0f} rows and "
            f"{right:+.0f} columns"
        )
        yield Issue("masks-shifted", None, text, count=count)
        return
    agreement = float(np.median([fit.in_place for fit in fits]))
    if agreement < _SET_LOWEST:
        text = f"agreement {agreement:.1f} in the median of {len(fits)} pairs"
        yield Issue("masks-misfit", None, text, count=len(fits))


def _common_turn(fits: Sequence[Fit]) -> tuple[str, int]:
    """The turn by which most pairs fit better, and how many do."""
    turns = Counter(
        fit.turn
        for fit in fits
        if fit.turned >= _TURN_CLEAR and fit.turned > fit.in_place + _SET_TURN_BETTER
    )
    return turns.most_common(1)[0] if turns else ("", 0)


def _common_place(places: Counter[Place]) -> tuple[Place, int]:
    """Where most fit best, and how many: that place alone beside the middle, with its neighbours
    elsewhere.
    """
    if not places:
        return (0, 0), 0
    # The same shift is rounded to neighbouring places in pictures of unlike size, so they count
    # together; beside the middle they may not, as masks that are drawn a little wide lie there.
    sums = {}
    for place in places:
        if not _are_neighbours(place, (0, 0)):
            sums[place] = _count_neighbours(places, place)
    single, single_count = places.most_common(1)[0]
    if not sums:
        return single, single_count
    place = max(sums, key=lambda place: (sums[place], places[place]))
    if sums[place] > single_count:
        return place, sums[place]
    return single, single_count


def _count_neighbours(places: Counter[Place], place: Place) -> int:
    return sum(count for near, count in places.items() if _are_neighbours(near, place))


def _are_neighbours(first: Place, second: Place) -> bool:
    rows = abs(first[0] - second[0])
    columns = abs(first[1] - second[1])
    return rows <= 1 and columns <= 1
