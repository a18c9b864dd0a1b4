"""How large the pictures of a training were, and so at which size a network knows things."""

import math
from dataclasses import dataclass
from typing import Any

# Formats of scanners, microscopes and maps, whose pixels may stand for a length.
MEASURED_FORMATS = ("TIFF", "JPEG2000")


@dataclass(frozen=True)
class PictureSizes:
    """The sizes of a training's pictures; sides are the square root of height times width."""

    side: int
    """The median, in pixels: what a picture is resized to that is larger or smaller by far."""

    smallest: int
    """The least side of a picture that is seen as it is."""

    largest: int
    """The greatest side of such a picture."""

    framed: bool | None
    """Whether things grow with the picture, as in photos. False: they have as many pixels in larger
    pictures, as where the training's are parts of such. None: not known."""

    varied: bool = False
    """Whether the training's pictures differ so much in size that all are seen at `side`, in the
    training too. Only where things grow with the picture."""

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "PictureSizes":
        """Those of a header. Raises KeyError, TypeError and ValueError for what is none."""
        framed = raw["framed"]
        varied = bool(raw.get("varied", False))
        sizes = cls(int(raw["side"]), int(raw["smallest"]), int(raw["largest"]), framed, varied)
        is_ordered = 0 < sizes.smallest <= sizes.side <= sizes.largest
        if not is_ordered or framed not in (True, False, None):
            raise ValueError(f"the sizes of its training's pictures are {raw}")
        return sizes

    def is_unusual(self, height: int, width: int) -> bool:
        """Whether a picture is larger or smaller by far than those of the training."""
        return not self.smallest <= math.sqrt(height * width) <= self.largest

    def view_size(self, height: int, width: int, *, format: str = "") -> tuple[int, int]:
        """(height, width) at which a picture is seen; `format` as PIL calls it, empty where it has
        none.
        """
        may_resize = format not in MEASURED_FORMATS if self.framed is None else self.framed
        if not may_resize or not (self.varied or self.is_unusual(height, width)):
            return height, width
        factor = self.side / math.sqrt(height * width)
        return max(1, round(height * factor)), max(1, round(width * factor))

    def view_factor(self, height: int, width: int) -> float:
        """By how much a training picture is enlarged to be seen; 1 unless they are varied."""
        return self.side / math.sqrt(height * width) if self.varied else 1.0
