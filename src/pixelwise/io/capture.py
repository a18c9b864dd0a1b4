"""When a photo was taken and by which camera, by EXIF; and where a raster lies, as far as its file
says so in plain numbers.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from pixelwise.io.open_images import open_header, silence_warnings

# Tags of EXIF: those of the picture, the place of those of the camera, and these.
_MAKE = 0x010F
_MODEL = 0x0110
_CAMERA_TAGS = 0x8769
_TAKEN = 0x9003
_SERIAL = 0xA431
_TIME_FORMAT = "%Y:%m:%d %H:%M:%S"

# Tags of GeoTIFF: size of a pixel, and a point of the picture with its place on the ground.
_PIXEL_SCALE = 33550
_TIE_POINT = 33922

Bounds = tuple[float, float, float, float]
"""left, bottom, right, top, in whatever units."""


@dataclass(frozen=True)
class Capture:
    """The camera, by its serial number or else its model, and the seconds since 1970 by its own
    clock.
    """

    camera: str
    seconds: float


def read_capture(path: Path) -> Capture | None:
    """What EXIF says of a photo; None without a time, and where it cannot be read."""
    # a damaged EXIF block raises what its parser comes upon
    with suppress(Exception), silence_warnings(), open_header(path) as image:
        tags = image.getexif()
        own = tags.get_ifd(_CAMERA_TAGS)
        taken = _text(own.get(_TAKEN))
        time = datetime.strptime(taken, _TIME_FORMAT).replace(tzinfo=UTC)
        model = f"{_text(tags.get(_MAKE))} {_text(tags.get(_MODEL))}"
        camera = " ".join(f"{model} {_text(own.get(_SERIAL))}".split())
        return Capture(camera or "a camera", time.timestamp())
    return None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return "" if value is None else str(value).strip("\0 ")


def read_bounds(path: Path) -> Bounds | None:
    """Where a raster without rotation lies, by its GeoTIFF tags or the world file beside it; None
    where neither says so.
    """
    with suppress(Exception), silence_warnings(), open_header(path) as image:
        corner = _read_tags(image) or _read_world_file(path)
        if corner is None:
            return None
        left, top, width, height = corner
        ends = (left, left + width * image.width, top, top - height * image.height)
        return min(ends[:2]), min(ends[2:]), max(ends[:2]), max(ends[2:])
    return None


def _read_tags(image: Image.Image) -> tuple[float, float, float, float] | None:
    """Left, top, and the width and height of a pixel."""
    tags = getattr(image, "tag_v2", {})
    if _PIXEL_SCALE not in tags or _TIE_POINT not in tags:
        return None
    width, height, *_ = map(float, tags[_PIXEL_SCALE])
    column, row, _, x, y, *_ = map(float, tags[_TIE_POINT])
    return x - column * width, y + row * height, width, height


def _read_world_file(path: Path) -> tuple[float, float, float, float] | None:
    """As `_read_tags`, from six lines of numbers: the centre of the first pixel comes last."""
    suffix = path.suffix
    names = (f"{suffix[:2]}{suffix[-1:]}w", f"{suffix}w", ".wld")
    for file in map(path.with_suffix, names):
        if not file.is_file():
            continue
        width, *turned, negative, x, y = map(float, file.read_text(encoding="ascii").split()[:6])
        if any(turned):
            return None
        return x - width / 2, y - negative / 2, width, -negative
    return None
