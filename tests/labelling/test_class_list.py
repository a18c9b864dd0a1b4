import pytest

from pixelwise.classes import VOID
from pixelwise.errors import DataError
from pixelwise.labelling.class_list import first_classes
from pixelwise.labelling.strokes import UNLABELLED


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["cell"], "1 class: a model needs two"),
        ([], "0 classes: a model needs two"),
        ([f"c{i}" for i in range(255)], "255 classes; allowed are 2 to 254"),
        (["road", "Road"], "there is a class 'road' already"),
        (["road", " "], "needs a name"),
        (["road", "a\nb"], "control characters"),
        (["road", "x" * 81], "at most 80"),
    ],
)
def test_lists_that_cannot_be_are_refused(names: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        first_classes(names)


def test_any_script_and_any_sign_may_be_a_name() -> None:
    names = ("<b>road</b>", "سماء", "a, b", "Straße")
    assert first_classes(names).as_classes().names == names


def test_254_classes_are_the_most_and_have_colours_of_their_own() -> None:
    classes = first_classes([f"c{i}" for i in range(254)])
    assert len(set(classes.colours.values())) == 254
    with pytest.raises(DataError, match="no more can be added"):
        assert classes.next_key


def test_ids_are_places_and_merged_classes_follow_what_they_became() -> None:
    classes = first_classes(["a", "b", "c", "d"])
    classes.merge(0, 1)
    classes.merge(1, 3)
    assert classes.as_classes().names == ("c", "d")
    assert classes.ids()[[0, 1, 2, 3, UNLABELLED, VOID]].tolist() == [1, 1, 0, 1, VOID, VOID]
    assert classes.next_key == 4
