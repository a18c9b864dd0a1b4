"""The side of a pixel in a unit of the user's, for figures of objects."""

import math
import re
from dataclasses import dataclass

from pixelwise.errors import ConfigError

_LENGTH = re.compile(r"\s*([0-9.]+(?:e-?[0-9]+)?)\s*([^\W\d_]+)\s*", re.IGNORECASE)

# Shorter ones, and the inverse of it, are slips: squares of them are no numbers to read.
_LEAST = 1e-6


@dataclass(frozen=True)
class PixelSize:
    """A length and its unit."""

    length: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> "PixelSize":
        """Of `0.25um` or `2 mm`. Raises ConfigError for anything else."""
        match = _LENGTH.fullmatch(text)
        try:
            length = float(match[1]) if match else 0.0
        except ValueError:
            length = 0.0
        if match is None or not 0 < length < math.inf:
            raise ConfigError(
                f"pixel size '{text}': give a length above 0 and its unit, such as 0.25um"
            )
        if not _LEAST <= length <= 1 / _LEAST:
            raise ConfigError(
                f"pixel size '{text}': no pixel is {length:g} {match[2]} long; give another unit, "
                "so that the number lies between a millionth and a million, such as 0.25um"
            )
        return cls(length, match[2])
