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
from pixelwise.io.images import Array, open_image, read_rgb

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")

# EXIF's tag ImageDescription.
_DESCRIPTION = 0x010E


def read_fitted(path: str | Path, size: tuple[int, int]) -> Array:
    """An image (H, W, 3) uint8, downscaled where needed to fit into `size` (height, width), in its
    own shape.
    """
    rgb = read_rgb(path)
    height, width = rgb.shape[:2]
    factor = min(1.0, size[0] / height, size[1] / width)
    if factor == 1:
        return rgb
    fitted = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(rgb).resize(fitted, Image.Resampling.LANCZOS))


def to_tensor(rgb: Array) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W) in [0, 1]."""
    return torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255


def to_rgb(image: Tensor) -> Array:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8."""
    return (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


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


def write_result(path: Path, rgb: Array, content: str | Path, settings: dict[str, object]) -> None:
    """Write the image with the content's ICC profile, and the settings as its description."""
    source = open_image(content)
    exif = Image.Exif()
    exif[_DESCRIPTION] = json.dumps({"pixelwise stylize": settings})
    # a profile of another colour space, such as CMYK, does not fit the RGB that is written
    profile = source.info.get("icc_profile") if source.mode in ("RGB", "RGBA") else None
    with atomic(path) as draft:
        Image.fromarray(rgb).save(draft, quality=95, exif=exif, icc_profile=profile)
