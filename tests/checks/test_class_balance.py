"""How much of the data each class has."""

import numpy as np

from pixelwise.checks.class_balance import Shares, find_class_issues
from pixelwise.classes import VOID, Classes
from pixelwise.datasets.mask_encoding import drawn_encoding

ENCODING = drawn_encoding(Classes.named(("sky", "road", "car")), kind="", evidence="")


def shares_of(*masks: dict[int, int]) -> Shares:
    shares = Shares()
    for mask in masks:
        pixels = np.zeros(256, np.int64)
        for label, count in mask.items():
            pixels[label] = count
        shares.add(pixels)
    return shares


def test_void_counts_in_no_class() -> None:
    shares = shares_of({0: 30, VOID: 60}, {1: 10})
    assert (shares.of(0), shares.of(1), shares.void) == (0.75, 0.25, 0.6)
    assert shares.images[[0, 1, 2]].tolist() == [1, 1, 0]


def test_a_class_that_is_scored_but_never_trained_on_is_named() -> None:
    train = [{0: 50, 1: 50}] * 20
    val = [{0: 50, 2: 50}] * 10
    shares = {
        "all": shares_of(*train, *val),
        "train": shares_of(*train),
        "val": shares_of(*val),
    }
    issues = [(issue.type, issue.text) for issue in find_class_issues(shares, ENCODING)]
    assert issues == [("class-only-scored", "car: in val, never in train")]


def test_absent_tiny_and_rare_classes_and_small_splits_are_named() -> None:
    masks = [{0: 100_000}] * 19 + [{0: 100_000, 1: 3}]
    shares = {"all": shares_of(*masks), "val": shares_of(*masks[:9])}
    types = [issue.type for issue in find_class_issues(shares, ENCODING)]
    assert types == ["class-tiny", "class-rare", "class-absent", "split-small"]
