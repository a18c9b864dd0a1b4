import time

import pytest

from pixelwise.training.duration import (
    clock_in,
    describe_duration,
    estimate_seconds,
    finishing_time,
)
from pixelwise.training.schedule import Budget


def test_an_estimate_counts_steps_and_validations() -> None:
    # A step of 100 pixels takes 3 s: its forward pass 1 s, that of 2 x 50 pixels as long.
    seconds = estimate_seconds(
        3.0, steps=10, step_pixels=100, validations=2, validation_pixels=[50, 50]
    )
    assert seconds == pytest.approx(32)
    seconds = estimate_seconds(
        3.0, steps=10, step_pixels=100, validations=2, validation_pixels=[50, 50], trial_pixels=250
    )
    assert seconds == pytest.approx(34.5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "about 10 seconds"),
        (42, "about 40 seconds"),
        (1500, "about 25 minutes"),
        (12600, "about 3.5 hours"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert describe_duration(seconds) == text


def test_another_day_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = time.mktime((2026, 11, 30, 12, 0, 0, 0, 0, -1))
    monkeypatch.setattr("pixelwise.training.duration.time.time", lambda: noon)
    assert clock_in(3900) == "13:05"
    assert clock_in(13 * 3600) == "Tue 01:00"


def test_a_training_says_when_it_ends_until_it_does() -> None:
    budget = Budget(10, None)
    assert finishing_time(budget) == ""
    budget.done = 5
    assert finishing_time(budget).startswith(", ends ")
    budget.done = 10
    assert finishing_time(budget) == ""
