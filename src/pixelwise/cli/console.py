"""Where the command line prints: results to standard output, messages and progress to standard
error.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as ProgressBar
from rich.text import Text

from pixelwise.progress import Progress

T = TypeVar("T")

# Results alone go to standard output, so that they can be piped.
messages = Console(stderr=True, highlight=False, soft_wrap=True)
results = Console(highlight=False, soft_wrap=True)

# The notes of Fabric repeat what the job logs.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)

# Seconds between lines of progress where standard error is no terminal.
PLAIN_SECONDS = 15.0


class RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        """The rate, once there is one."""
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:.1f} {task.fields['unit']}/s")


class TerminalProgress(Progress):
    """A progress bar with rate and time left on a terminal, plain lines otherwise."""

    def __init__(self) -> None:
        self._progress: ProgressBar | None = None
        self._text = ""

    def log(self, text: str) -> None:
        """One message, above the bar if there is one."""
        # A console that draws a bar must print itself, or the bar is torn.
        console = self._progress.console if self._progress else messages
        console.print(text, markup=False)

    def set_postfix(self, text: str) -> None:
        """A short text at the end of the bar."""
        self._text = text

    def track(
        self, items: Iterable[T], *, what: str, total: int, unit: str = "images", weight: int = 1
    ) -> Iterator[T]:
        """Pass `items` on and show how far they are."""
        self._text = ""
        if messages.is_terminal:
            return self._bar(items, what, total, unit, weight)
        return self._plain(items, what, total, unit, weight)

    def _bar(
        self, items: Iterable[T], what: str, total: int, unit: str, weight: int
    ) -> Iterator[T]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(),
        )
        with ProgressBar(
            *columns, TextColumn("{task.fields[text]}"), console=messages, transient=True
        ) as progress:
            task = progress.add_task(what, total=total, unit=unit, text="")
            self._progress = progress
            try:
                for item in items:
                    yield item
                    progress.update(task, advance=weight, text=self._text)
            finally:
                self._progress = None

    def _plain(
        self, items: Iterable[T], what: str, total: int, unit: str, weight: int
    ) -> Iterator[T]:
        start = time.monotonic()
        last_line = start
        for number, item in enumerate(items, 1):
            yield item
            now = time.monotonic()
            if now - last_line >= PLAIN_SECONDS:
                last_line = now
                finished = number * weight
                rate = finished / (now - start)
                text = f", {self._text}" if self._text else ""
                left = (total - finished) / rate
                self.log(
                    f"{what}: {finished}/{total} {unit}, {rate:.1f}/s, {left:.0f} s left{text}"
                )
