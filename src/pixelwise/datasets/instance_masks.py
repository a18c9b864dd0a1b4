"""Recognising masks that number objects, not classes: what segmentation of instances writes."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import find_objects, label

from pixelwise.classes import VOID
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_numbers import NODATA, Raw
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.raw_mask import read_raw
from pixelwise.errors import DataError

# So many objects in some mask; with fewer, ids look like those of classes.
_MANY = 5
# Or so many in all masks and this many in one on average, where they are not numbered from 1.
_MANY_IDS = 20
_MANY_IN_A_MASK = 4
# Masks that are read again to see whether each id is one region, and the share of ids that are.
_SAMPLES = 4
_MAX_IDS = 2000
_ONE_REGION = 0.95


def find_instances(pairs: Sequence[PairStats]) -> Issue | None:
    """The issue of a set whose masks hold one id for each object, with the refusal; None for any
    other. Some masks are read once more.

    Each mask has its own number of ids, from 1 up without a gap, and each id is one region.
    """
    masks = [stats for stats in pairs if stats.mask and not stats.mask.coloured]
    counts = [_count_ids(stats) for stats in masks]
    if not masks or len(set(counts)) < 2 or max(counts) < _MANY:
        return None
    if any(stats.mask and stats.mask.palette for stats in masks):
        return None
    contiguous = sum(map(_is_contiguous, masks))
    scattered = _have_many_ids(masks, counts)
    if 10 * contiguous < 9 * len(masks) and not scattered:
        return None
    fullest = sorted(range(len(masks)), key=lambda index: -counts[index])[:_SAMPLES]
    if not all(_are_single_regions(masks[index]) for index in fullest):
        return None
    return _issue(masks[fullest[0]], counts)


def _issue(fullest: PairStats, counts: Sequence[int]) -> Issue:
    text = (
        f"the masks number objects, {min(counts)} to {max(counts)} in a mask, each id one region; "
        "as classes these numbers say nothing"
    )
    return Issue(
        "mask-instances",
        fullest.pair.mask,
        text,
        count=len(counts),
        mask=fullest.pair.mask,
        image=fullest.pair.image,
        refusal=(
            f"{fullest.pair.mask}: {text}; make one class of all objects with --instances, or "
            "save class ids"
        ),
    )


def _count_ids(stats: PairStats) -> int:
    mask = stats.mask
    if mask is None:
        return 0
    return mask.distinct - len({0, NODATA} & set(mask.table[0].tolist()))


def _is_contiguous(stats: PairStats) -> bool:
    """Whether the ids are 1 to n; of more than were measured nothing is known."""
    mask = stats.mask
    if mask is None or mask.distinct > mask.table.shape[1]:
        return True
    ids = sorted(mask.drawn - {0})
    return ids == list(range(1, len(ids) + 1))


def _have_many_ids(masks: Sequence[PairStats], counts: Sequence[int]) -> bool:
    ids: set[int] = set()
    for stats in masks:
        if stats.mask:
            ids |= stats.mask.drawn
    return len(ids - {0, VOID}) >= _MANY_IDS and sum(counts) >= _MANY_IN_A_MASK * len(masks)


def _are_single_regions(stats: PairStats) -> bool:
    try:
        raw = read_raw(stats.pair.mask).values
    except (DataError, OSError):
        return False
    return share_of_single_regions(raw) >= _ONE_REGION


def share_of_single_regions(raw: Raw) -> float:
    """The share of the ids above 0 in `raw` (H, W) whose pixels hang together, by sides or corners.
    Of very many ids the first are looked at.
    """
    ids, numbered = np.unique(np.maximum(raw, 0), return_inverse=True)
    numbered = numbered.reshape(raw.shape)
    if ids[0] != 0:
        numbered = numbered + 1
    places = find_objects(numbered, max_label=min(int(numbered.max()), _MAX_IDS))
    single = 0
    for number, place in enumerate(places, 1):
        _, regions = label(numbered[place] == number, np.ones((3, 3)))
        single += regions == 1
    return single / max(1, len(places))
