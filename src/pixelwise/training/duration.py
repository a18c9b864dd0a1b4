"""When a training will be through, in words."""

import time
from collections.abc import Sequence

from pixelwise.training.schedule import Budget

# A forward pass alone takes about this share of a training step.
FORWARD_SHARE = 1 / 3


def estimate_seconds(
    step_seconds: float,
    *,
    steps: int,
    step_pixels: int,
    validations: int,
    validation_pixels: Sequence[int],
    trial_pixels: float = 0,
) -> float:
    """What a training of `steps` steps takes, each of `step_pixels` pixels; a validation sees
    images of so many pixels as it scales them to, and the trial of scales after the last step sees
    `trial_pixels` in all.
    """
    pixels = validations * sum(validation_pixels) + trial_pixels
    return step_seconds * (steps + FORWARD_SHARE * pixels / step_pixels)


def describe_duration(seconds: float) -> str:
    """As people say it: `about 40 seconds`, `about 25 minutes`, `about 3.5 hours`."""
    if seconds < 90:
        return f"about {max(10, 10 * round(seconds / 10))} seconds"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"


def clock_in(seconds: float) -> str:
    """The time of the day in so many seconds, with the day where it is another one."""
    now = time.time()
    end = time.localtime(now + seconds)
    is_today = time.strftime("%j", end) == time.strftime("%j", time.localtime(now))
    return time.strftime("%H:%M" if is_today else "%a %H:%M", end)


def finishing_time(budget: Budget) -> str:
    """When the training ends, for the end of a line; empty before the first step and at the end."""
    seconds = budget.seconds_left
    return f", ends {clock_in(seconds)}" if seconds else ""
