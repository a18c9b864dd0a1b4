"""A picture as pixelwise reads it, with numpy and Pillow alone. What these two cannot read in the
same way is refused: 16-bit colours, more bands, several pages, floats.
"""

import io
import sys

import numpy as np
from PIL import Image, ImageCms, ImageOps

DEPTHS = (8, 10, 12, 14, 16)


def read_rgb(path: str, common_bits: int = 0) -> np.ndarray:
    """(H, W, 3) uint8: upright, on white, in sRGB. common_bits: the depth by which the model's
    training read its pictures, 0 where they had 8 bits.
    """
    with Image.open(path) as image:
        deep = image.mode.startswith("I;16")
        if is_odd(image, deep):
            sys.exit(f"{path}: read it with pixelwise, or save it as 8-bit RGB of one page")
        image.load()
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if deep:
        image = Image.fromarray(to_8_bits(np.asarray(image), common_bits))
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    if image.mode not in ("L", "CMYK"):
        image = image.convert("RGB")
    if profile and not is_srgb(profile, image.mode):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    image = image.convert("RGB")
    if alpha:
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        image = white
    return np.asarray(image)


def is_odd(image: Image.Image, deep: bool) -> bool:
    """Whether an opened image takes more than the lines below."""
    raw_mode = str(image.tile[0][3]) if image.tile else ""
    if (";16" in raw_mode and not deep) or image.mode in ("I", "F", "LAB"):
        return True
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        return True
    if image.format == "TIFF":
        tags = image.tag_v2
        more_bands = tags.get(277, 1) != len(image.getbands()) or image.mode == "RGBA"
        return more_bands or (deep and (tags.get(262) == 0 or 281 in tags or 341 in tags))
    gamma = image.info.get("gamma", 0.45)
    return not (0.4 <= gamma <= 0.5 or "srgb" in image.info or "icc_profile" in image.info)


def to_8_bits(values: np.ndarray, common_bits: int) -> np.ndarray:
    """By the depth that holds the values: a camera of 12 bits fills a sixteenth of 16 bits."""
    own = next(bits for bits in DEPTHS if values.max() < 2**bits)
    bits = max(own, common_bits)
    levels = (int(values.max()) >> bits - 8) - (int(values.min()) >> bits - 8) + 1
    if own == bits and levels < 16 and np.ptp(values) >= 64:
        sys.exit("uses little of its range: read it with pixelwise, or stretch it")
    return (values >> bits - 8).astype(np.uint8)


def is_srgb(profile: bytes, mode: str) -> bool:
    """Whether a profile changes no colour by more than rounding."""
    levels = np.linspace(0, 255, 17).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    image = Image.fromarray(cube if mode == "RGB" else np.arange(256, dtype=np.uint8)[None])
    if mode == "CMYK":
        return False
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    change = np.asarray(converted).astype(int) - np.asarray(image.convert("RGB"))
    return np.abs(change).max() <= 2
