"""Progress in a notebook: lines, and a bar below them while something runs."""

import html
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from pixelwise.progress import Progress

T = TypeVar("T")

# A bar is drawn again after so many seconds.
_PAUSE = 0.5


def default_progress() -> Progress:
    """What a function reports to that was not told: a notebook shows it, elsewhere it is silent."""
    return NotebookProgress() if is_notebook() else Progress()


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    return getattr(shell, "kernel", None) is not None


class NotebookProgress(Progress):
    """Lines are written below the cell; a bar is gone when its work is done."""

    def __init__(self) -> None:
        self._text = ""
        self._indent = ""

    def log(self, text: str) -> None:
        """Write a line below the cell."""
        sys.stdout.write(f"{self._indent}{text}\n")

    def log_section(self, title: str) -> None:
        """Write a heading; the lines after it are indented."""
        sys.stdout.write(f"\n{title}\n")
        self._indent = "  "

    def set_postfix(self, text: str) -> None:
        """A short text at the end of the bar."""
        self._text = text

    def track(
        self, items: Iterable[T], *, what: str, total: int, unit: str = "images", weight: int = 1
    ) -> Iterator[T]:
        """Pass `items` on and show how far they are."""
        self._text = ""
        display: Any = sys.modules["IPython"].display
        handle = display.display(display.HTML(""), display_id=True)
        start = time.monotonic()
        drawn = start
        try:
            for number, item in enumerate(items, 1):
                yield item
                now = time.monotonic()
                if now - drawn >= _PAUSE:
                    drawn = now
                    done = number * weight
                    of = f"/{total}" if total else ""
                    text = f"{done}{of} {unit}, {done / (now - start):.1f}/s"
                    handle.update(display.HTML(self._bar(what, done, total, text)))
        finally:
            handle.update(display.HTML(""))

    def _bar(self, what: str, done: int, total: int, text: str) -> str:
        more = f", {self._text}" if self._text else ""
        place = f' max="{total}" value="{done}"' if total else ""
        return (
            f"<label>{html.escape(what)} <progress{place}></progress> "
            f"{html.escape(text + more)}</label>"
        )
