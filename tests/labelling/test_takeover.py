from collections.abc import Callable

import numpy as np
import pytest

from pixelwise.classes import Classes
from pixelwise.inference.predictor import Predictor
from pixelwise.labelling.comparison import StrokeComparison
from pixelwise.labelling.desk import Desk


def all_grass(rgb: np.ndarray) -> np.ndarray:
    logits = np.zeros((len(rgb), 2, *rgb.shape[2:]), np.float32)
    logits[:, 0] = 5
    return logits


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk(predictor=Predictor(all_grass, Classes.named(("grass", "sky"))))


@pytest.mark.parametrize(
    ("low", "high", "before", "after"),
    [
        (0.02, 0.2, False, True),
        (-0.2, -0.02, True, False),
        (-0.1, 0.1, True, True),
        (-0.1, 0.1, False, False),
    ],
)
def test_the_page_changes_sides_only_where_the_interval_leaves_out_zero(
    desk: Desk, low: float, high: float, before: bool, after: bool
) -> None:
    takeover = desk.takeover
    takeover.is_asked = before
    takeover.comparison = StrokeComparison(0.8, 0.7, low, high, 30)
    version = takeover.version
    takeover._decide()
    assert takeover.is_asked is after
    assert takeover.version - version == (before is not after)
    assert "30 strokes" in takeover.describe()["text"]


def test_a_network_is_asked_about_strokes_and_not_about_what_was_taken_over(desk: Desk) -> None:
    for label, row in ((1, 10), (0, 50)):
        request = {"tool": "brush", "label": label, "radius": 3, "points": [[10, row], [60, row]]}
        desk.stroke(0, request)
    photo = desk.session.open("a.png")
    numbers = list(desk.session.project.photos["a.png"].active)
    desk.takeover._ask(photo, "a.png", numbers)
    assert [desk.takeover._right[number] for number in numbers] == [0.0, 1.0]


def test_there_is_no_training_before_there_are_strokes_on_several_photos(desk: Desk) -> None:
    desk.takeover.minutes = 5
    assert not desk.takeover._may_train()
    assert desk.takeover.describe()["can_pause"] is False
