"""Groups of images that a random split would divide: films, patients or scenes, as far as names,
files and looks tell.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.checks.group_sources import (
    NEAR_COPIES,
    GroupProposal,
    group_by_capture,
    group_by_looks,
    group_by_place,
)
from pixelwise.datasets.groups import GROUPS_FILE, group_by_pattern
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.types import first, path_within
from pixelwise.errors import ConfigError
from pixelwise.io.atomic import write_text

# What is in front of a name's last part, and its first part.
_PATTERNS = (r"(.+)[-_. ][^-_. ]+", r"([^-_. ]+)[-_. ].+")
# So many of the images must be in groups of two or more where these are told by looks, and there
# must be two groups or more.
_COVERED = 0.8
# Where files tell, so many are enough to make scores too good.
_SHARED = 0.1
# Of so many images must the one that looks most alike be of the same group, beyond what chance
# gives (Cohen's kappa): CamVid's films have .94, the years in VOC's names -.03.
_AGREEMENT = 0.5
# Images whose looks are compared; of larger sets these at even steps.
_MAX_IMAGES = 2000
_FEWEST = 8


def propose_groups(pairs: Sequence[PairStats], index: Index) -> GroupProposal | None:
    """The groups that names, or else EXIF, places or near copies tell; None where they tell none,
    or where groups.csv does.
    """
    if len(pairs) < _FEWEST or (index.root / GROUPS_FILE).is_file():
        return None
    for proposal in _list_proposals(pairs):
        groups = _list_groups(pairs, proposal)
        if groups is None:
            continue
        if not proposal.by_looks or measure_agreement(pairs, groups) >= _AGREEMENT:
            return proposal
    return None


def find_group_hints(
    pairs: Sequence[PairStats], index: Index, proposal: GroupProposal | None
) -> Iterator[Issue]:
    """An issue where there are groups: which rule keeps them together, or which of them the splits
    on disk divide.
    """
    if proposal is None:
        return
    groups = _list_groups(pairs, proposal)
    if {stats.split for stats in pairs} == {"train"} and groups is not None:
        yield Issue("groups-likely", index.root, _describe(proposal, groups))
    elif proposal.rule != NEAR_COPIES:  # these are findings of their own
        yield from _find_divided(pairs, proposal, index)


def write_groups(
    path: Path, pairs: Sequence[PairStats], index: Index, proposal: GroupProposal
) -> None:
    """Write the proposal as a table that `find_groups` reads, in the order of the names. Raises
    OutputError where that cannot be, ConfigError within the data set itself.
    """
    if path.resolve().is_relative_to(index.root.resolve()):
        raise ConfigError(
            f"{path} lies in the data set, which check never changes: write the table elsewhere, "
            "look at it, and put it there yourself"
        )
    rows = [
        (path_within(index.root, stats.pair.image), proposal.by_image[stats.pair.image])
        for stats in pairs
        if stats.pair.image in proposal.by_image
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("image", "group"), *sorted(set(rows))])
    write_text(path, text.getvalue())


def _list_proposals(pairs: Sequence[PairStats]) -> Iterator[GroupProposal]:
    """What may tell, the surest first; files are read only where names do not tell."""
    for pattern in _PATTERNS:
        by_image = group_by_pattern([stats.pair for stats in pairs], re.compile(pattern))
        yield GroupProposal(f"--group '{pattern}'", by_image, by_looks=True, pattern=pattern)
    for source in (group_by_capture, group_by_place, group_by_looks):
        yield source(pairs)


def _describe(proposal: GroupProposal, groups: NDArray[np.int64]) -> str:
    names = sorted(set(proposal.by_image.values()))
    if proposal.by_looks:
        text = f"{len(names)} groups by {proposal.rule}, such as {', '.join(names[:3])}; "
        return text + "images look most like others of their group"
    counts = np.bincount(groups)
    shared = int(counts[counts > 1].sum())
    return (
        f"{shared} of {len(groups)} images in {int((counts > 1).sum())} groups by {proposal.rule}; "
        "the largest has "
        f"{int(counts.max())}"
    )


def _find_divided(
    pairs: Sequence[PairStats], proposal: GroupProposal, index: Index
) -> Iterator[Issue]:
    splits: dict[str, set[str]] = {}
    for stats in pairs:
        group = proposal.by_image.get(stats.pair.image)
        if group is not None:
            splits.setdefault(group, set()).add(stats.split)
    divided = sorted(
        group for group, names in splits.items() if "train" in names and len(names) > 1
    )
    if divided:
        by = f"the names' '{proposal.pattern}'" if proposal.pattern else proposal.rule
        text = f"{first(divided)}, by {by}, are in train and in another split"
        yield Issue("groups-divided", index.root, text, count=len(divided))


def _list_groups(pairs: Sequence[PairStats], proposal: GroupProposal) -> NDArray[np.int64] | None:
    """(N,) the number of each image's group; None where groups are too few, or too small."""
    names = [_group_name(proposal.by_image, stats, place) for place, stats in enumerate(pairs)]
    _, numbers, counts = np.unique(names, return_inverse=True, return_counts=True)
    covered = int(counts[counts > 1].sum())
    if len(counts) < 2 or covered < (_COVERED if proposal.by_looks else _SHARED) * len(pairs):
        return None
    if proposal.by_looks and 2 * len(counts) > len(pairs):
        return None
    return np.asarray(numbers, np.int64)


def _group_name(by_image: Mapping[Path, str], stats: PairStats, place: int) -> str:
    return by_image.get(stats.pair.image, f"\0{place}")


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
