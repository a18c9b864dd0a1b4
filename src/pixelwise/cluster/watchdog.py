"""Ends a worker that stands still, so that Ray gives its batch to another one, as after any
death.
"""

import faulthandler
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pixelwise.inference.threads import WORKERS

# Seconds that a step may always take.
MIN_STEP_S = 900.0

# How many times as long as in the slowest batch so far a pixel may take; so many images share a
# batch's time.
SLOWDOWN = 10 * WORKERS

# Seconds of a pixel while no batch is measured: 50,000 a second, which is little even for one core.
DEFAULT_PACE = 2e-5


class Watchdog:
    """Ends this process where it takes too long from one step to the next, even where it is stuck
    in foreign code.

    Where its threads were stands in Ray's log of the worker's standard error then.
    """

    _began: float | None = None

    @contextmanager
    def watch(self, pixels: int, pace: float = 0.0) -> Iterator[None]:
        """From `begin` to `end`."""
        self.begin(pixels, pace)
        try:
            yield
        finally:
            self.end()

    def begin(self, pixels: int, pace: float) -> None:
        """A batch is begun: its largest image, and the seconds of a pixel, 0 where not known."""
        self._began = time.monotonic()
        self._largest_image_s = SLOWDOWN * (pace or DEFAULT_PACE) * pixels
        self.step()

    def step(self, share: float = 1.0) -> None:
        """Something is done. The next step is such a share of the largest image; it may also take
        as long as all of the batch did so far, as reading back what was written does not.
        """
        if self._began is None:  # an image is done whose batch was given up
            return
        allowed = max(MIN_STEP_S, share * self._largest_image_s, time.monotonic() - self._began)
        faulthandler.dump_traceback_later(allowed, exit=True, file=2)

    def end(self) -> None:
        """Nothing is in work."""
        self._began = None
        faulthandler.cancel_dump_traceback_later()
