"""Which image a mask belongs to by its name."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.datasets.mask_names import NameLookup, image_name, match_names

NUMBERS = ("000", "001", "017")


def names(pattern: str) -> list[str]:
    return [pattern.format(number) for number in NUMBERS]


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}", "{}"),
        ("{}", "{}.jpg"),
        ("{}", "mask_{}"),
        ("{}", "label-{}"),
        ("{}", "{}_cp_masks"),
        ("{}", "{}_gtFine_labelIds"),
        ("{}_l", "{}_l"),
        ("IMG_{}", "img_{}_GT"),
        ("a.{}.c", "a.{}.c"),
        # by what all names have in common
        ("{}_sat", "{}_mask"),
        ("img_{}", "mask_{}"),
        ("img{}", "mask{}"),
        ("{}_training", "{}_manual1"),
        ("town_{}_leftImg8bit", "town_{}_gtFine_labelTrainIds"),
        ("{}", "{}_1stHO"),
        ("{}", "{}_color"),
        ("case_{}_0000", "case_{}"),
    ],
)
def test_names_that_tools_write_pair(image: str, mask: str) -> None:
    match = match_names(names(image), names(mask))
    assert match.images == dict(zip(names(mask), names(image), strict=True))
    assert match.companions == ()


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["001", "002"], ["1", "2"]),
        (["cat_1", "cat_2"], ["dog_1", "dog_2"]),
        (["a_2020_1", "a_2020_2"], ["m_2021_1", "m_2021_2"]),
        (["000", "001"], ["other000", "other001"]),
        (["a", "b"], ["x_gt", "y_gt"]),
    ],
)
def test_names_that_say_no_pair_do_not(images: list[str], masks: list[str]) -> None:
    assert match_names(images, masks).images == {}


def test_affixes_that_were_left_off_are_told() -> None:
    match = match_names(["7_sat", "9_sat"], ["7_mask", "9_mask"])
    assert match.affixes == "7_mask is taken for the mask of 7_sat"
    assert match_names(["7", "9"], ["7_mask", "9_mask"]).affixes == ""


def test_pictures_of_masks_are_companions_where_the_mask_is_there() -> None:
    masks = ["x_label", "x_label_color", "y_label", "y_label_color"]
    match = match_names(["x", "y"], masks)
    assert match.images == {"x_label": "x", "y_label": "y"}
    assert match.companions == ("x_label_color", "y_label_color")
    match = match_names(["a", "b"], ["a_gtFine_labelIds", "b_gtFine_labelIds", "a_gtFine_color"])
    assert match.companions == ("a_gtFine_color",)


def test_train_ids_go_before_ids() -> None:
    match = match_names(["a"], ["a_gtFine_labelIds", "a_gtFine_labelTrainIds"])
    assert match.images == {"a_gtFine_labelTrainIds": "a"}
    assert match.companions == ("a_gtFine_labelIds",)


@given(st.lists(st.text("äéÅñoß", min_size=1, max_size=5), unique_by=str.casefold))
def test_the_unicode_form_of_a_name_makes_no_difference(stems: list[str]) -> None:
    composed = [unicodedata.normalize("NFC", stem) for stem in stems]
    apart = [unicodedata.normalize("NFD", stem) for stem in stems]
    assert match_names(composed, apart).images == dict(zip(apart, composed, strict=True))


def test_names_that_differ_by_case_alone_are_kept_apart() -> None:
    assert image_name("a", ["a", "A"]) == "a"
    assert image_name("A", ["a", "A"]) == "A"
    assert image_name("A", ["a"]) == "a"


@pytest.mark.parametrize(("stem", "image"), [("00007", "7"), ("7", "7"), ("8", None)])
def test_a_number_is_found_whatever_its_zeros(stem: str, image: str | None) -> None:
    assert NameLookup(["7", "08", "008"]).find_number(stem) == image
