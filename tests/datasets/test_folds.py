from pathlib import Path

import numpy as np
import pytest

from pixelwise.datasets.folds import assign_folds, fold_pairs
from pixelwise.datasets.groups import Groups
from pixelwise.datasets.scan import SplitStats
from pixelwise.datasets.types import Pair
from pixelwise.errors import ConfigError

NAMES = ("ground", "road", "rare")


def stats_of(holding: list[tuple[int, ...]]) -> SplitStats:
    """A split whose images hold so many pixels of each class."""
    pairs = tuple(
        Pair(f"{place:03}", Path(f"d/{place:03}.jpg"), Path(f"d/{place:03}.png"))
        for place in range(len(holding))
    )
    total = tuple(np.sum(holding, axis=0).tolist())
    return SplitStats(pairs, (), total, total, 0, ((8, 8),) * len(pairs), by_image=tuple(holding))


def test_each_image_is_held_out_once_and_rare_classes_are_in_every_fold() -> None:
    rare = {3, 17, 40, 41, 59}
    stats = stats_of([(9, place % 2, int(place in rare)) for place in range(60)])
    folded = fold_pairs([stats], 5, NAMES)
    names = sorted(pair.name for fold in folded.folds for pair in fold)
    assert names == [pair.name for pair in stats.pairs]
    for fold in folded.folds:
        assert 11 <= len(fold) <= 13
        assert sum(int(pair.name) in rare for pair in fold) == 1
        assert 5 <= sum(int(pair.name) % 2 for pair in fold) <= 7
    assert folded.notes == ()


def test_folds_follow_from_names_and_seed_alone() -> None:
    stats = stats_of([(9, 0, place % 3) for place in range(20)])
    order = list(range(20))[::-1]
    turned = SplitStats(
        tuple(stats.pairs[place] for place in order),
        (),
        stats.pixels,
        stats.holding,
        0,
        stats.sizes,
        by_image=tuple(stats.by_image[place] for place in order),
    )
    assert fold_pairs([stats], 4, NAMES) == fold_pairs([turned], 4, NAMES)
    assert fold_pairs([stats], 4, NAMES, seed=1) != fold_pairs([stats], 4, NAMES)


def test_groups_are_never_divided_and_each_fold_has_one() -> None:
    stats = stats_of([(9, 1, int(place < 24)) for place in range(40)])
    groups = Groups({pair.image: str(int(pair.name) // 8) for pair in stats.pairs}, "films")
    folded = fold_pairs([stats], 5, NAMES, groups=groups)
    films = [{int(pair.name) // 8 for pair in fold} for fold in folded.folds]
    assert sorted(map(len, films)) == [1] * 5
    assert sorted(film for fold in films for film in fold) == [0, 1, 2, 3, 4]
    assert folded.notes == ("in fewer groups than folds: rare (3); some folds cannot score them",)


def test_a_class_in_one_group_alone_is_named() -> None:
    stats = stats_of([(9, 1, int(place < 8)) for place in range(24)])
    groups = Groups({pair.image: str(int(pair.name) // 8) for pair in stats.pairs}, "films")
    (note,) = fold_pairs([stats], 2, NAMES, groups=groups).notes
    assert note.startswith("in one group alone: rare; ")


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (1, "--folds 1: .* 2 or more"),
        (0, "--folds 0"),
        (7, "--folds 7: there are 6 images to train on, .* choose 2 to 6"),
    ],
)
def test_numbers_that_leave_a_fold_empty_are_refused(count: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fold_pairs([stats_of([(1, 1, 1)] * 6)], count, NAMES)


def test_more_folds_than_groups_are_refused_with_the_rule() -> None:
    stats = stats_of([(1, 1, 1)] * 6)
    groups = Groups({pair.image: str(int(pair.name) % 2) for pair in stats.pairs}, "groups.csv")
    with pytest.raises(ConfigError, match=r"there are 2 groups by groups\.csv"):
        fold_pairs([stats], 3, NAMES, groups=groups)


def test_no_fold_stays_empty_where_classes_would_leave_one_so() -> None:
    # one class alone decides, and two large units fill what it lacks in two folds
    counts = np.array([[5.0], [5.0], [0.0]])
    assert set(assign_folds(counts, np.array([5, 5, 1]), 3)) == {0, 1, 2}
