"""Colours by an ICC profile to sRGB, which networks learned from."""

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from pixelwise.io.reading_notes import ReadingNote, ReadingNotes

# Levels by which a profile's colours may differ from sRGB's: rounding, and other writings of it.
_TOLERANCE = 2
_CUBE_SIDE = 17

# The exponent by which sRGB's values are about encoded, and those of PNG files that mean the same.
_SRGB_GAMMA = 1 / 2.2
_SAME_GAMMA = (0.4, 0.5)

GAMMA = ReadingNote("image-profile", "of another gamma than sRGB", "converted to it")
_BROKEN = ReadingNote(
    "image-profile", "with a colour profile that is damaged or does not fit", "read without it"
)
_NO_PROFILE = ReadingNote(
    "image-cmyk", "in CMYK without a profile", "turned into RGB by the plain formula"
)


@dataclass(frozen=True)
class _Conversion:
    """`transform` is None where a profile changes nothing, or is `broken`."""

    transform: ImageCms.ImageCmsTransform | None
    name: str = ""
    broken: bool = False


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, ReadingNotes]:
    """An image of mode L, RGB, CMYK or LAB as L or RGB in sRGB, and what was done to it."""
    if image.mode == "LAB":
        return ImageCms.applyTransform(image, _lab_transform()) or image, ()
    conversion = _find_conversion(profile, image.mode) if profile else _Conversion(None)
    notes: ReadingNotes = (_BROKEN,) if conversion.broken else ()
    if conversion.transform is not None:
        what = f"in the colours of a profile ({conversion.name})"
        converted = ImageCms.applyTransform(image, conversion.transform) or image
        if image.mode == "L":
            converted = converted.getchannel("R")
        return converted, (ReadingNote("image-profile", what, "converted to sRGB"),)
    if image.mode == "CMYK":
        return image.convert("RGB"), (*notes, _NO_PROFILE)
    return image, notes


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """The ICC profile of sRGB, to be written into files."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    lab = ImageCms.createProfile("LAB")
    return ImageCms.buildTransform(lab, ImageCms.createProfile("sRGB"), "LAB", "RGB")


@lru_cache(maxsize=64)
def _find_conversion(profile: bytes, mode: str) -> _Conversion:
    """Cached: the pictures of a set share a few profiles, and making a transform takes
    milliseconds.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, srgb, mode, "RGB")
        name = " ".join(ImageCms.getProfileDescription(source).split())
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return _Conversion(None, broken=True)
    if mode != "CMYK" and _changes_nothing(transform, mode):
        return _Conversion(None)
    return _Conversion(transform, name[:60] or "without a name")


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform gives all colours back as they are, as those of the many writings of
    sRGB do.
    """
    if mode == "L":
        image = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    else:
        steps = np.linspace(0, 255, _CUBE_SIDE).astype(np.uint8)
        cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1)  # (17, 17, 17, 3)
        image = Image.fromarray(cube.reshape(_CUBE_SIDE, -1, 3))
    before = np.asarray(image.convert("RGB")).astype(int)
    after = np.asarray(ImageCms.applyTransform(image, transform)).astype(int)
    return int(np.abs(after - before).max()) <= _TOLERANCE


def find_gamma(image: Image.Image) -> float:
    """The exponent that brings a PNG file's values, as shares of their range, to sRGB's: 1 unless
    its gamma alone says how they are meant, and is another than sRGB's.
    """
    gamma = image.info.get("gamma") if image.format == "PNG" else None
    if not gamma or "icc_profile" in image.info or "srgb" in image.info:
        return 1.0
    if _SAME_GAMMA[0] <= gamma <= _SAME_GAMMA[1]:
        return 1.0
    return float(_SRGB_GAMMA / gamma)


def apply_gamma(image: Image.Image, exponent: float) -> Image.Image:
    """An image of mode L or RGB with its values, as shares of 255, to the power of `exponent`."""
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return image.point(table * len(image.getbands()))
