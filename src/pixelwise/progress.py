"""What long work reports: lines, and progress with a rate. Silent here; the command line shows it
on a terminal.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_log = logging.getLogger("pixelwise")


class Progress:
    """Receives what a job reports. This one logs lines to the logger `pixelwise`, no progress."""

    def log(self, text: str) -> None:
        """Log one line."""
        _log.info(text)

    def log_section(self, title: str) -> None:
        """Say what the lines to come are about; a terminal shows them in columns beneath it."""

    def track(
        self, items: Iterable[T], *, what: str, total: int, unit: str = "images", weight: int = 1
    ) -> Iterator[T]:
        """Pass `items` on while showing how far they are; each counts `weight` of `total` units,
        which is 0 where it is not known.
        """
        return iter(items)

    def set_postfix(self, text: str) -> None:
        """Put a short text beside the running progress (a loss, a time left)."""
