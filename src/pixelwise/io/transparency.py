"""What shows through: pictures with alpha are seen on white, as viewers and pages show them."""

import numpy as np
from PIL import Image

from pixelwise.io.reading_notes import ReadingNote

ON_WHITE = ReadingNote("image-transparent", "with transparent parts", "put on white")

_OPAQUE = 255
# An alpha of so many values, most of them neither transparent nor opaque, is another band, such as
# near infrared, that was saved as alpha.
_BAND_VALUES = 100
_BAND_SHARE = 0.5


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
    histogram = np.array(alpha.histogram())
    extremes = histogram[0] + histogram[_OPAQUE]
    values = np.count_nonzero(histogram)
    return bool(values >= _BAND_VALUES and extremes < _BAND_SHARE * histogram.sum())


def put_on_white(image: Image.Image, alpha: Image.Image) -> Image.Image:
    """An image of mode L or RGB over white, as far as `alpha` lets it be seen."""
    white = Image.new(image.mode, image.size, "white")
    white.paste(image, mask=alpha)
    return white


def _without_alpha(image: Image.Image) -> Image.Image:
    if image.mode in ("LA", "La"):
        return image.convert("L")
    return image.convert("RGB") if image.mode in ("RGBA", "RGBa", "PA") else image
