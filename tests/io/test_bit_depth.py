import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.io.bit_depth import (
    DEPTHS,
    ValueRange,
    describe_range,
    find_common_bits,
    find_range,
    with_common_bits,
)
from pixelwise.io.reading_notes import ReadingNote, summarize_notes


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [(43, 209, 8), (0, 1020, 10), (144, 997, 10), (0, 4080, 12), (0, 16000, 14), (0, 65535, 16)],
)
def test_the_smallest_depth_that_holds_the_values_is_taken(low: int, high: int, bits: int) -> None:
    assert find_range(low, high) == ValueRange(0, 2**bits - 1)


@given(st.sampled_from(DEPTHS), st.integers(0, 255), st.integers(0, 255))
def test_eight_bits_shifted_to_any_depth_come_back(bits: int, one: int, other: int) -> None:
    eight = np.array([one, other, 200, 255], np.uint16)
    deep = eight << (bits - 8)
    values = find_range(int(deep.min()), int(deep.max()))
    assert values.to_8_bits(deep).tolist() == eight.tolist()


@given(st.lists(st.integers(0, 65535), min_size=2, max_size=20))
def test_greater_values_are_never_darker(numbers: list[int]) -> None:
    deep = np.sort(np.array(numbers, np.uint16))
    eight = find_range(int(deep[0]), int(deep[-1])).to_8_bits(deep).astype(int)
    assert (np.diff(eight) >= 0).all()


def test_many_values_in_few_levels_are_stretched() -> None:
    values = find_range(33000, 33200)
    assert values.stretched
    assert values.to_8_bits(np.array([33000, 33100, 33200])).tolist() == [0, 128, 255]
    assert not find_range(100, 112).stretched, "noise of a blank picture"


def test_a_declared_maximum_is_the_range() -> None:
    values = find_range(0, 300, declared=1000)
    assert values.to_8_bits(np.array([0, 300, 500, 1000])).tolist() == [0, 76, 128, 255]
    assert find_range(0, 1020, declared=65535) == ValueRange(0, 1023), "that of the container"


def test_inverted_values_and_a_gamma_are_applied_within_the_range() -> None:
    inverted = ValueRange(0, 4095, inverted=True)
    assert inverted.to_8_bits(np.array([0, 4095, 1024])).tolist() == [255, 0, 191]
    linear = ValueRange(0, 65535, gamma=1 / 2.2)
    assert linear.to_8_bits(np.array([0, 65535, round(65535 * 0.5**2.2)])).tolist() == [0, 255, 128]


def notes_of(highest: int) -> tuple[ReadingNote]:
    return (describe_range(find_range(0, highest), 16, highest),)


def test_pictures_of_a_set_share_the_depth_that_holds_nearly_all() -> None:
    exposures = [notes_of(highest) for highest in (997, 1057, 1029, 1007)]
    assert find_common_bits(exposures) == 12
    assert find_common_bits([*[notes_of(900)] * 30, notes_of(65535)]) == 10, "one odd file"
    assert find_common_bits([(), ()]) == 0
    assert find_range(0, 997, common_bits=12) == ValueRange(0, 4095)
    assert find_range(0, 65535, common_bits=12) == ValueRange(0, 65535), "it needs more"
    assert not find_range(100, 140, common_bits=12).stretched, "a dark exposure stays dark"


def test_the_sentence_names_the_depth_of_the_set() -> None:
    notes = [with_common_bits(notes_of(highest), 12) for highest in (997, 1057)]
    assert summarize_notes(notes) == (
        "how the pictures were read: 2 of 16 bits with values to 1057 are scaled from 12 bits"
    )
    full = with_common_bits(notes_of(65535), 12)
    assert summarize_notes([full]) == "", "a container that is used is not worth a word"
