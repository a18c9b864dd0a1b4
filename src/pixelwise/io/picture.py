"""A picture in memory, and what reading did to it."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.io.channels import Mask
from pixelwise.io.open_images import Array
from pixelwise.io.reading_notes import ReadingNotes


def void_invalid(labels: Array, valid: Mask | None) -> Array:
    """Labels (H, W), or layers (C, H, W), void where a picture has no values; as they are where
    `valid` is None or of another size, which readers of pairs refuse.
    """
    if valid is None or labels.shape[-2:] != valid.shape:
        return labels
    return np.where(valid, labels, np.uint8(VOID))


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as networks see it.

    image: upright, of mode L or RGB, without alpha, in sRGB; of other bands as they are shown.
    notes: what was done to it beyond decoding. format, mode, stored (height, width), orientation
    and frames are those of its file, by PIL's names.
    """

    image: Image.Image
    notes: ReadingNotes
    format: str
    mode: str
    stored: tuple[int, int]
    orientation: int
    frames: int
    is_raster: bool = False
    """Whether it was read as a raster, whose pixels stand for places."""
    channels: Array | None = None
    """(H, W, channels) uint8 for a network of other bands than RGB."""
    valid: Mask | None = None
    """(H, W), where it has values; None: everywhere."""

    @property
    def rgb(self) -> Array:
        """(H, W, 3) uint8; grey is repeated."""
        return np.asarray(self.image if self.image.mode == "RGB" else self.image.convert("RGB"))

    @property
    def pixels(self) -> Array:
        """(H, W, channels) uint8, what networks take: RGB, or the channels of a network of other
        bands.
        """
        return self.rgb if self.channels is None else self.channels
