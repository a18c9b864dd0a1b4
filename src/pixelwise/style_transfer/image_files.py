"""Images as tensors, and the file that a style transfer writes."""

import json
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pixelwise.errors import ConfigError, OutputError
from pixelwise.io.atomic import atomic
from pixelwise.io.colour_profiles import srgb_profile
from pixelwise.io.images import Array, read_picture
from pixelwise.io.reading_notes import ReadingSummary

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")

# EXIF's tag ImageDescription.
_DESCRIPTION = 0x010E


def read_fitted(
    path: str | Path, size: tuple[int, int], reading: ReadingSummary | None = None
) -> Array:
    """An image (H, W, 3) uint8, downscaled where needed to fit into `size` (height, width), in its
    own shape. `reading` takes up what was done to it.
    """
    picture = read_picture(path)
    if reading is not None:
        reading.add(picture.notes)
    rgb = picture.rgb
    height, width = rgb.shape[:2]
    max_height, max_width = size
    factor = min(1.0, max_height / height, max_width / width)
    if factor == 1:
        return rgb
    # a very long image keeps at least a pixel across
    new_height = max(1, round(height * factor))
    new_width = max(1, round(width * factor))
    image = Image.fromarray(rgb)
    resized = image.resize((new_width, new_height), Image.Resampling.LANCZOS)
    return np.asarray(resized)


def to_tensor(rgb: Array) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W) in [0, 1]."""
    # a copy, as PyTorch warns of arrays that cannot be written to
    pixels = torch.from_numpy(rgb.copy())
    channels = pixels.permute(2, 0, 1)  # (3, H, W)
    return channels.float() / 255


def to_rgb(image: Tensor) -> Array:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8."""
    levels = (image * 255).round()
    pixels = levels.to(torch.uint8).permute(1, 2, 0)  # (H, W, 3)
    return pixels.numpy()


def check_out(out: str | Path, content: str | Path) -> Path:
    """The path to write to. Raises ConfigError or OutputError where that cannot be."""
    path = Path(out)
    if path.resolve() == Path(content).resolve():
        raise ConfigError(f"--out {path} is the content picture itself; choose another name")
    if path.parent.exists() and not os.access(path.parent, os.W_OK):
        raise OutputError(f"cannot write {path}: {path.parent} is read-only; choose another --out")
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(
            f"--out {path}: a picture is written; let the name end in one of {', '.join(_SUFFIXES)}"
        )
    if path.is_dir():
        raise OutputError(f"{path} is a folder; choose another --out")
    return path


def write_result(path: Path, rgb: Array, settings: dict[str, object]) -> None:
    """Write the image with the profile of sRGB, in which it is, and the settings as its
    description.
    """
    exif = Image.Exif()
    exif[_DESCRIPTION] = json.dumps({"pixelwise stylize": settings})
    with atomic(path) as draft:
        Image.fromarray(rgb).save(draft, quality=95, exif=exif, icc_profile=srgb_profile())
