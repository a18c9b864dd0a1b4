"""Where the command line prints: results to standard output, messages and progress to standard
error.
"""

import logging
import shlex
import textwrap
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

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

# The columns of a section: the indent, the name before a colon, and what it says.
_INDENT = 2
_NAME = 21


def wrap_words(text: str, width: int, *, indent: str = "", hanging: str | None = None) -> str:
    """The text in lines of at most `width` characters, broken between words alone: a path stays
    whole. Lines that fit stay as they are. `hanging` indents all lines but the first.
    """
    following = indent if hanging is None else hanging
    lines = []
    for line in text.split("\n"):
        if len(indent) + len(line) <= width:
            lines.append(indent + line)
            continue
        lines += textwrap.wrap(
            line,
            width,
            initial_indent=indent,
            subsequent_indent=following,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def align_columns(text: str, width: int) -> str:
    """A line of a section: what stands before its first colon in a first column, if it fits there,
    and the rest beside it, in lines of at most `width` characters.
    """
    name, colon, rest = text.partition(": ")
    indent = " " * _INDENT
    column = " " * (_INDENT + _NAME + 1)
    if not colon or len(name) > _NAME or "\n" in text:
        return wrap_words(text, width, indent=indent, hanging=2 * indent)
    body = wrap_words(rest, width, indent=column)
    return f"{indent}{name:<{_NAME}} {body[len(column) :]}"


class WordWrapConsole(Console):
    """Breaks long lines of text between words on a terminal; files and pipes get them whole."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As Rich's."""
        if self.is_terminal and not options.get("end"):
            objects = tuple(
                wrap_words(item, self.width) if isinstance(item, str) else item for item in objects
            )
        super().print(*objects, **options)


# Results alone go to standard output, so that they can be piped.
messages = WordWrapConsole(stderr=True, highlight=False, soft_wrap=True)
results = WordWrapConsole(highlight=False, soft_wrap=True)


def print_next(*steps: tuple[tuple[object, ...], str]) -> None:
    """Print commands that may come next, each as its words and what it does, beneath a result."""
    commands = [shlex.join(["pixelwise", *map(str, words)]) for words, _ in steps]
    column = max(map(len, commands))
    for number, (command, (_, purpose)) in enumerate(zip(commands, steps, strict=True)):
        heading = "Next: " if number == 0 else "      "
        line = f"{heading}{command:<{column}}  {purpose}"
        if len(line) > messages.width:
            line = f"{heading}{command}"  # to be copied whole, whatever there is beside it
        messages.print(line, markup=False)


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
        self._in_section = False

    def log(self, text: str) -> None:
        """One message, above the bar if there is one; in a section in its columns."""
        if self._in_section:
            text = align_columns(text, messages.width)
        self._print(text)

    def log_section(self, title: str) -> None:
        """A heading; the lines after it stand beneath it in columns."""
        self._in_section = True
        self._print(f"\n{title}")

    def _print(self, text: str) -> None:
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
            task = progress.add_task(what, total=total or None, unit=unit, text="")
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
                of = f"/{total}" if total else ""
                left = f", {max(0, total - finished) / rate:.0f} s left" if total else ""
                self.log(f"{what}: {finished}{of} {unit}, {rate:.1f}/s{left}{text}")
