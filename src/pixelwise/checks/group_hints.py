"""Groups of images that a random split would divide: films, patients or scenes, as far as names
and looks tell.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.groups import GROUPS_FILE, group_by_pattern
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.types import first

# What is in front of a name's last part, and its first part.
_PATTERNS = (r"(.+)[-_. ][^-_. ]+", r"([^-_. ]+)[-_. ].+")
# So many of the images must be in groups of two or more, and there must be two groups or more.
_COVERED = 0.8
# Of so many images must the one that looks most alike be of the same group, beyond what chance
# gives (Cohen's kappa): CamVid's films have .94, the years in VOC's names -.03.
_AGREEMENT = 0.5
# Images whose looks are compared; of larger sets these at even steps.
_MAX_IMAGES = 2000
_FEWEST = 8


def find_group_hints(pairs: Sequence[PairStats], index: Index) -> Iterator[Issue]:
    """An issue where names tell groups whose images look more alike than others: which rule keeps
    them together, or which of them the splits on disk divide.
    """
    if len(pairs) < _FEWEST or (index.root / GROUPS_FILE).is_file():
        return
    for pattern in _PATTERNS:
        by_image = group_by_pattern([stats.pair for stats in pairs], re.compile(pattern))
        groups = _list_groups(pairs, by_image)
        if groups is None or measure_agreement(pairs, groups) < _AGREEMENT:
            continue
        names = sorted(set(by_image.values()))
        if {stats.split for stats in pairs} == {"train"}:
            text = (
                f"{len(names)} groups by --group '{pattern}', such as {', '.join(names[:3])}; "
                "images look most like others of their group"
            )
            yield Issue("groups-likely", index.root, text)
        else:
            yield from _find_divided(pairs, by_image, index, pattern)
        return


def _find_divided(
    pairs: Sequence[PairStats], by_image: Mapping[Path, str], index: Index, pattern: str
) -> Iterator[Issue]:
    splits: dict[str, set[str]] = {}
    for stats in pairs:
        group = by_image.get(stats.pair.image)
        if group is not None:
            splits.setdefault(group, set()).add(stats.split)
    divided = sorted(
        group for group, names in splits.items() if "train" in names and len(names) > 1
    )
    if divided:
        text = f"{first(divided)}, by the names' '{pattern}', are in train and in another split"
        yield Issue("groups-divided", index.root, text, count=len(divided))


def _list_groups(
    pairs: Sequence[PairStats], by_image: Mapping[Path, str]
) -> NDArray[np.int64] | None:
    """(N,) the number of each image's group; None where groups are too few, or too small."""
    names = [by_image.get(stats.pair.image, f"\0{place}") for place, stats in enumerate(pairs)]
    _, numbers, counts = np.unique(names, return_inverse=True, return_counts=True)
    covered = int(counts[counts > 1].sum())
    if len(counts) < 2 or covered < _COVERED * len(pairs) or 2 * len(counts) > len(pairs):
        return None
    return np.asarray(numbers, np.int64)


def measure_agreement(pairs: Sequence[PairStats], groups: NDArray[np.int64]) -> float:
    """How often the image that looks most like another is of its group: 1 always, 0 as by chance.

    `groups` (N,) numbers the group of each pair. Looks are those of pictures of 16 x 16.
    """
    step = -(-len(pairs) // _MAX_IMAGES)
    chosen = [place for place in range(0, len(pairs), step) if pairs[place].image]
    if len(chosen) < 2:
        return 0.0
    thumbs = [image.thumb for place in chosen if (image := pairs[place].image)]
    pixels = np.stack([np.frombuffer(thumb, np.uint8) for thumb in thumbs]).astype(np.float32)
    squares = (pixels**2).sum(1)
    distances = squares[:, None] + squares - 2 * pixels @ pixels.T  # (n, n)
    np.fill_diagonal(distances, np.inf)
    of_group = groups[chosen]
    agreeing = float((of_group[distances.argmin(1)] == of_group).mean())
    shares = np.bincount(of_group) / len(chosen)
    chance = float((shares**2).sum())
    return (agreeing - chance) / max(1 - chance, 1e-6)
