"""Findings about labels that lie elsewhere than the things in the image: suspicions, for a person
to judge.

The thresholds leave next to nothing of CamVid, Pascal VOC and portraits
(benchmarks/results/clinic.md has the counts).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from pixelwise.checks.edge_alignment import Fit
from pixelwise.checks.findings import Hit
from pixelwise.checks.inspect_pairs import Look

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


def alignment_hits(looks: Sequence[Look]) -> Iterator[Hit]:
    """Shifted, mirrored and unfitting labels, of single pairs and of the whole set."""
    fits = [(look, look.fit) for look in looks if look.fit]
    whole = set(_whole(looks, [fit for _, fit in fits])) if len(fits) >= _ENOUGH else set()
    yield from whole
    here = np.array([fit.here for _, fit in fits])
    low = _LOWEST
    if len(fits) >= _ENOUGH:
        quarter, middle, upper = np.quantile(here, [0.25, 0.5, 0.75])
        low = max(_LOWEST, float(middle - _SPREADS * (upper - quarter)))
    kinds = {hit.kind.replace("masks-", "mask-") for hit in whole}
    for look, fit in fits:
        hit = _pair(look, fit, low)  # what fits nowhere as well as is usual is no shift
        if hit and hit.kind not in kinds and "mask-misfit" not in kinds:
            yield hit


def _pair(look: Look, fit: Fit, low: float) -> Hit | None:
    couple = look.couple
    far = max(map(abs, fit.near))
    if (
        fit.turned >= _TURN_SURE
        and fit.turned - fit.here >= _TURN_BETTER
        and fit.turned > fit.best - 0.5
    ):
        text = f"fits {fit.turned:.1f} {fit.turn}, {fit.here:.1f} as it is"
        return Hit("mask-mirrored", couple.mask, text, image=couple.image, mask=couple.mask)
    if (
        fit.best >= max(_SURE, low)
        and fit.best - fit.here >= _BETTER
        and fit.gain >= _GAIN
        and _NEAREST <= far <= _FARTHEST
    ):
        return Hit("mask-shifted", couple.mask, _moved(fit), image=couple.image, mask=couple.mask)
    if fit.here < low:
        text = f"agreement {fit.here:.1f}, where at least {low:.1f} is usual"
        return Hit("mask-misfit", couple.mask, text, image=couple.image, mask=couple.mask)
    return None


def _moved(fit: Fit) -> str:
    down, right = fit.shift
    return (
        f"fits {fit.best:.1f} when moved by about {down:+} rows and {right:+} columns, "
        f"{fit.here:.1f} as it is"
    )


def _whole(looks: Sequence[Look], fits: Sequence[Fit]) -> Iterator[Hit]:
    clear = [fit for fit in fits if fit.best >= _SURE]
    places = Counter(fit.near for fit in clear)
    place, count = _common_place(places)
    turns = Counter(
        fit.turn for fit in fits if fit.turned >= _TURN_SURE and fit.turned > fit.here + 1
    )
    turn, turned = turns.most_common(1)[0] if turns else ("", 0)
    if 2 * turned > len(fits):
        yield Hit(
            "masks-mirrored", None, f"{turned} of {len(fits)} fit better {turn}", count=turned
        )
    elif place != (0, 0) and 2 * count > len(clear) and 2 * len(clear) > len(fits):
        middle = np.median([fit.shift for fit in clear if _beside(fit.near, place)], axis=0)
        text = (
            f"{count} of {len(fits)} fit best when moved by about {middle[0]:+.0f} rows and "
            f"{middle[1]:+.0f} columns"
        )
        yield Hit("masks-shifted", None, text, count=count)
    elif float(np.median([fit.here for fit in fits])) < _SET_LOW:
        middle_fit = float(np.median([fit.here for fit in fits]))
        yield Hit(
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
