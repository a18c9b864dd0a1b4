"""What shows through: pictures with alpha are seen on white, as viewers and pages show them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.io.reading_notes import ReadingNote

ON_WHITE = ReadingNote("image-transparent", "with transparent parts", "put on white")

_OPAQUE = 255
# Opacity is none or full but for soft edges, or has a few values. What has hundreds nearly
# everywhere is another band that was saved as alpha, such as near infrared of aerial images.
_MAX_SOFT_SHARE = 0.1
_MAX_VALUES = 16


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A decoded image without its alpha, and the alpha (mode L); None where all is opaque."""
    if not image.has_transparency_data:
        return image, None
    if image.mode in ("La", "RGBa"):
        split = image.convert(image.mode.upper())
    elif image.mode in ("LA", "RGBA"):
        split = image
    else:
        split = image.convert("LA" if image.mode == "L" else "RGBA")
    alpha = split.getchannel("A")
    if alpha.getextrema()[0] == _OPAQUE:
        return _without_alpha(image), None
    return _without_alpha(split), alpha


def is_band(alpha: Image.Image) -> bool:
    """Whether an alpha (mode L) is a picture of its own."""
    return not is_opacity(np.asarray(alpha))


def is_opacity(values: NDArray[Any]) -> bool:
    """Whether the pixels of a band that is called alpha, all or a sample of them, are opacities, of
    which the greatest is full.
    """
    visible = int(np.count_nonzero(values))
    soft = visible - int(np.count_nonzero(values == values.max(initial=0)))
    return soft <= _MAX_SOFT_SHARE * visible or np.unique(values).size <= _MAX_VALUES


def put_on_white(image: Image.Image, alpha: Image.Image) -> Image.Image:
    """An image of mode L or RGB over white, as far as `alpha` lets it be seen."""
    white = Image.new(image.mode, image.size, "white")
    white.paste(image, mask=alpha)
    return white


def _without_alpha(image: Image.Image) -> Image.Image:
    if image.mode in ("LA", "La"):
        return image.convert("L")
    return image.convert("RGB") if image.mode in ("RGBA", "RGBa", "PA") else image
