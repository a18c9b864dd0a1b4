"""Arrays to picture files, whole or not at all."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.classes import VOID_COLOUR
from pixelwise.io.atomic import atomic
from pixelwise.io.open_images import Array

Palette = tuple[tuple[int, int, int], ...]


def write_labels(path: Path, labels: Array, palette: Palette) -> None:
    """Write (H, W) uint8 class ids as a palette PNG; ids beyond `palette` (void) are shown in light
    grey.
    """
    with atomic(path) as temp_path:
        temp_path.write_bytes(encode_labels(labels, palette))


def encode_labels(labels: Array, palette: Palette) -> bytes:
    """The bytes of the file that `write_labels` writes."""
    image = Image.fromarray(np.ascontiguousarray(labels))
    colours = [*palette, *[VOID_COLOUR] * (256 - len(palette))]
    image.putpalette([channel for colour in colours for channel in colour])
    return _encoded(image, "PNG", compress_level=3)


def encode_image(array: Array, kind: str) -> bytes:
    """(H, W, 3) RGB or (H, W) grey uint8 as the bytes of a file of PIL's format `kind`, such as PNG
    or JPEG.
    """
    return _encoded(Image.fromarray(np.ascontiguousarray(array)), kind, quality=92)


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def write_image(path: Path, array: Array) -> None:
    """Write (H, W, 3) RGB or (H, W) grey uint8 in the format that the suffix names."""
    with atomic(path) as temp_path:
        Image.fromarray(np.ascontiguousarray(array)).save(temp_path, quality=92)


def jpeg_round_trip(rgb: Array, quality: int) -> Array:
    """(H, W, 3) uint8 as JPEG of that quality (1 to 95) leaves it."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(file, format="JPEG", quality=quality)
    return np.asarray(Image.open(file))
