"""Everything a user can cause, as one tree.

PixelwiseError
├── ConfigError    an option that cannot be
├── DataError      a data set that cannot be used
│   └── ImageError one image or mask that cannot be read
├── ModelError     a model file that cannot be used
├── WeightsError   encoder weights that cannot be had
├── OutputError    a result that cannot be written
└── TrainingError  a training that cannot go on

A message says what came, what is allowed and what to do next. The command line turns these into one
line and exit status 2; anything else is a bug and keeps its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self


class PixelwiseError(Exception):
    """Root of the tree; catch it to catch all that a user can cause."""


class ConfigError(PixelwiseError):
    """An option's value is not allowed."""


class DataError(PixelwiseError):
    """A data set cannot be used as it is.

    `reason` is the message without the file's name in front and the advice behind it.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message

    @classmethod
    def of_file(cls, name: object, reason: str, advice: str = "") -> Self:
        """The error `name: reason; advice`."""
        return cls(f"{name}: {reason}" + (f"; {advice}" if advice else ""), reason=reason)


class ImageError(DataError):
    """One image or mask cannot be read, or is not what its place demands."""


class ModelError(PixelwiseError):
    """A model file or run folder cannot be used."""


class WeightsError(PixelwiseError):
    """Weights for an encoder cannot be had or do not fit it."""


class OutputError(PixelwiseError):
    """A result cannot be written; what was there before is untouched."""


class TrainingError(PixelwiseError):
    """A training cannot go on; the best model so far is kept."""


def unknown_choice_error(what: str, name: str, allowed: Iterable[str]) -> ConfigError:
    """The error for a name that is not among `allowed`, with the nearest one as advice."""
    choices = sorted(allowed)
    near = get_close_matches(name, choices, n=1)
    advice = f"; did you mean '{near[0]}'?" if near else ""
    return ConfigError(f"unknown {what} '{name}': choose one of {', '.join(choices)}{advice}")


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or of its cause's where another library wrapped it.

    Of what ended a Ray actor while it was made, the last line: it stands behind the traceback.
    """
    text = str(getattr(error, "cause", None) or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return lines[-1] if getattr(error, "actor_init_failed", False) else lines[0]
