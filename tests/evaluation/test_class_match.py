from pathlib import Path

import numpy as np
import pytest

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.types import Pair
from pixelwise.errors import ImageError, ModelError
from pixelwise.evaluation.class_match import match_classes

DATA = Classes.named(("road", "car", "sky"))
MODEL = Classes.named(("tree", "sky", "road"))


def test_ids_of_both_sides_become_those_of_the_shared_classes_and_all_others_void() -> None:
    match = match_classes(MODEL, DATA)
    assert match.classes.names == ("road", "sky")
    assert match.classes.palette == (DATA.palette[0], DATA.palette[2])
    assert match.from_data[[0, 1, 2, 3, VOID]].tolist() == [0, VOID, 1, VOID, VOID]
    assert match.from_model[[0, 1, 2, 3, VOID]].tolist() == [VOID, 1, 0, VOID, VOID]
    assert match.notes == (
        "the model does not know car: their pixels are void",
        "the data has no tree: pixels predicted so are counted as wrong",
    )
    assert match_classes(DATA, DATA).notes == ()


def test_a_model_that_shares_no_class_is_named() -> None:
    with pytest.raises(ModelError, match=r"second and data share no class.*rename them"):
        match_classes(Classes.named(("tree",)), DATA, model_name="second")


def test_truth_is_read_in_the_shared_classes_and_has_the_size_of_the_image() -> None:
    pair = Pair("a", Path("a.jpg"), Path("a.png"))
    labels = np.array([[0, 1, 2], [VOID, 2, 0]], np.uint8)
    match = match_classes(MODEL, DATA)
    truth = match.truth(lambda path: labels, pair, (2, 3))
    assert truth.tolist() == [[0, VOID, 1], [VOID, 1, 0]]
    with pytest.raises(ImageError, match=r"a\.jpg: \(3, 2\) pixels, but its mask has \(2, 3\)"):
        match.truth(lambda path: labels, pair, (3, 2))
