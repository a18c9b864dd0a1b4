"""The colours of classes that have none: apart for everybody, and the background's own."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from pixelwise.classes import VOID_COLOUR, Classes
from pixelwise.palette import BACKGROUND_COLOUR, CLASS_COLOURS, default_palette

SCRIPT = Path(__file__).parents[1] / "benchmarks/palette.py"
_spec = importlib.util.spec_from_file_location("benchmark_palette", SCRIPT)
assert _spec
assert _spec.loader
vision = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(vision)


def least_distance(colours: np.ndarray, others: np.ndarray) -> float:
    """In OKLab, as most people see and as those with protanopia, deuteranopia, tritanopia do."""
    apart = vision.distances(vision.see(colours), vision.see(others))
    if colours is others:
        apart = apart[~np.eye(len(colours), dtype=bool)]
    return float(apart.min())


@pytest.mark.parametrize(
    ("count", "least"), [(4, 0.189), (7, 0.076), (20, 0.068), (50, 0.041), (255, 0.016)]
)
def test_the_first_colours_lie_apart_in_every_vision(count: int, least: float) -> None:
    colours = np.array(CLASS_COLOURS[:count])
    assert least_distance(colours, colours) == pytest.approx(least, abs=0.001)


def test_no_colour_is_taken_for_the_background_or_for_void() -> None:
    colours = np.array(CLASS_COLOURS)
    assert least_distance(colours, np.array([BACKGROUND_COLOUR])) > 0.33
    # The yellow lies closest of the first, in tritanopia; void is hatched in pictures.
    assert least_distance(colours[:20], np.array([VOID_COLOUR])) > 0.04
    assert least_distance(colours, np.array([VOID_COLOUR])) > 0.019


def test_vocs_colours_are_closer_to_each_other() -> None:
    """Olive is dark green, and maroon as good as black, to the colour-blind."""
    voc = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)])
    first = np.array([BACKGROUND_COLOUR, *CLASS_COLOURS[:4]])
    assert least_distance(first, first) > 2 * least_distance(voc, voc)


def test_the_table_has_255_different_colours_of_okabe_and_ito_first() -> None:
    assert len(set(CLASS_COLOURS)) == 255
    assert set(CLASS_COLOURS[:7]) == set(vision.OKABE_ITO)
    assert CLASS_COLOURS[0] == (86, 180, 233)


@pytest.mark.parametrize(
    ("names", "background"),
    [
        (("background", "cat", "dog"), 0),
        (("sky", "_background_", "road"), 1),
        (("background", "_background_", "road"), 0),
        (("class 0", "class 1", "class 2"), 0),
        (("crop", "weed"), 0),
        (("other", "foreground", "rim"), None),
        (("sky",), None),
        ((), None),
    ],
)
def test_the_background_is_black_and_takes_no_colour_from_the_others(
    names: tuple[str, ...], background: int | None
) -> None:
    colours = list(default_palette(names))
    if background is not None:
        assert colours.pop(background) == BACKGROUND_COLOUR
    assert colours == list(CLASS_COLOURS[: len(colours)])


def test_as_many_classes_as_can_be_have_colours_of_their_own() -> None:
    classes = Classes.named(tuple(f"class {number}" for number in range(255)))
    assert len(set(classes.palette)) == 255
