from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelwise.classes import VOID, Classes, Colour, name_of_colour, voc_colormap
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


BLACK = (0, 0, 0)
BLUE = (0, 0, 255)
RED = (255, 0, 0)
GREEN = (0, 255, 0)


def by_colour(*colours: Colour) -> Classes:
    return Classes(tuple(name_of_colour(colour) for colour in colours), colours, guessed=True)


def numbered(*colours: Colour, guessed: bool = True) -> Classes:
    names = tuple(f"class {label}" for label in range(len(colours)))
    return Classes(names, colours, guessed)


def test_classes_of_which_only_the_colour_is_known_are_matched_by_it() -> None:
    match = match_classes(by_colour(BLACK, BLUE, RED), by_colour(BLACK, RED))
    assert match.classes.names == ("rgb 0 0 0", "rgb 255 0 0")
    assert match.from_data[[0, 1]].tolist() == [0, 1]
    assert match.from_model[[0, 1, 2]].tolist() == [0, VOID, 1]
    assert match.model_ids == [0, 2]
    assert match.model_labels()[[0, 1, 2, VOID]].tolist() == [0, 2, VOID, VOID]


def test_a_model_of_an_earlier_version_whose_colours_were_numbered_is_matched_by_its_palette() -> (
    None
):
    match = match_classes(numbered(BLACK, BLUE, RED, guessed=False), by_colour(BLACK, RED))
    assert match.from_model[[0, 1, 2]].tolist() == [0, VOID, 1]
    assert match.notes[0] == (
        "matched by their colours: class 0 is rgb 0 0 0, class 2 is rgb 255 0 0"
    )


def test_colours_that_one_side_names_are_matched_with_those_that_it_does_not() -> None:
    declared = Classes(("ground", "water", "roof"), (BLACK, BLUE, RED))
    match = match_classes(declared, by_colour(BLACK, RED))
    assert match.from_model[[0, 1, 2]].tolist() == [0, VOID, 1]
    match = match_classes(by_colour(BLACK, RED), declared)
    assert match.classes.names == ("ground", "roof")
    assert match.from_data[[0, 1, 2]].tolist() == [0, VOID, 1]
    assert match.from_model[[0, 1]].tolist() == [0, 1]


def test_values_are_matched_whatever_the_colours_that_show_them() -> None:
    model = Classes.named(("class 0", "class 1", "class 2"))
    model = Classes(model.names, model.palette, guessed=True)
    match = match_classes(model, numbered((255, 255, 255), BLACK, RED))
    assert match.from_model[[0, 1, 2]].tolist() == [0, 1, 2]


@pytest.mark.parametrize("guessed", [True, False])
def test_a_number_that_has_another_colour_on_either_side_is_matched_by_colour_or_refused(
    guessed: bool,
) -> None:
    model = numbered(BLACK, BLUE, RED, guessed=guessed)
    match = match_classes(model, numbered(BLACK, RED, BLUE))
    assert match.from_model[[0, 1, 2]].tolist() == [0, 2, 1]
    with pytest.raises(ModelError, match=r"'class 1' is \(0, 0, 255\) in the model but \(255, 0"):
        match_classes(model, numbered(BLACK, RED, GREEN))


def test_a_model_that_may_have_numbered_colours_is_not_matched_with_values() -> None:
    model = numbered(BLACK, BLUE, RED, guessed=False)
    data = numbered(*voc_colormap(3))
    with pytest.raises(ModelError, match=r"write classes\.csv \(one class a line: name,r,g,b\)"):
        match_classes(model, data)
    # A palette that is not in the order of its values was never numbered so.
    values = numbered(*voc_colormap(4), guessed=False)
    assert match_classes(values, numbered(BLACK, RED)).from_model[[0, 1]].tolist() == [0, 1]


def test_one_shared_class_is_refused_as_any_model_would_be_right() -> None:
    animals = Classes.named(("background", "cat", "dog"))
    data = Classes.named(("background", "foreground"))
    with pytest.raises(ModelError, match=r"share only background, which leaves nothing to score"):
        match_classes(animals, data)


def test_a_name_that_differs_in_letter_case_alone_is_pointed_out() -> None:
    model = Classes.named(("background", "cow", "dog"))
    notes = match_classes(model, Classes.named(("background", "Cow", "dog"))).notes
    assert "'Cow' may be the model's 'cow': write it so in the data's classes file" in notes
    with pytest.raises(ModelError, match=r"'Cow' is 'cow', 'Dog' is 'dog'"):
        match_classes(model, Classes.named(("background", "Cow", "Dog")))


def test_finer_and_coarser_classes_meet_in_the_tree() -> None:
    tree = (("moving", ("vehicle", "person")), ("vehicle", ("car", "bus")))
    fine = Classes.named(("road", "car", "bus", "person"))
    fine = replace(fine, tree=tree)
    coarse = Classes.named(("road", "vehicle", "person"))
    finer_model = match_classes(fine, coarse, by_tree=True)
    assert finer_model.classes.names == ("road", "vehicle", "person")
    assert finer_model.from_model[:4].tolist() == [0, 1, 1, 2]
    assert finer_model.notes == ("counted by the tree: car as vehicle, bus as vehicle",)
    assert finer_model.classes.tree == tree
    finer_data = match_classes(coarse, fine, by_tree=True)
    assert finer_data.from_data[:4].tolist() == [0, 1, 1, 2]
    coarsest = match_classes(fine, Classes.named(("road", "moving")), by_tree=True)
    assert coarsest.from_model[:4].tolist() == [0, 1, 1, 1]
    both = Classes.named(("road", "vehicle", "car"))
    assert match_classes(fine, both, by_tree=True).classes.names == ("road", "car")
    assert match_classes(fine, coarse).classes.names == ("road", "person")
    turned = replace(coarse, tree=(("car", ("moving",)),))
    joined = match_classes(fine, turned, by_tree=True).classes.tree
    assert joined == (*turned.tree, tree[0]), "without vehicle, which would make a circle"
