"""Writing a scene's picture in the depths, colours and containers that cameras and programs use.

Each function returns the file; a picture read rightly has the brightness of its scene, up to a few
levels and one common stretch.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from .truth import VOID, Array, Scene

Writer = Callable[[Scene, Path], Path]


def _grey(scene: Scene) -> Array:
    return np.asarray(Image.fromarray(scene.rgb).convert("L"))


def _save(image: Image.Image, path: Path, suffix: str, **options: object) -> Path:
    target = path.with_name(path.name + suffix)
    image.save(target, **options)
    return target


def jpeg(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(scene.rgb), path, ".jpg", quality=97, subsampling=0)


def jfif(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(scene.rgb), path, ".jfif", format="JPEG", quality=97)


def png(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(scene.rgb), path, ".png")


def bmp(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(scene.rgb), path, ".bmp")


def webp(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(scene.rgb), path, ".webp", lossless=True)


def avif(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(scene.rgb), path, ".avif", quality=95)


def tiff(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(scene.rgb), path, ".tif", compression="tiff_lzw")


def grey_png(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(_grey(scene)), path, ".png")


def sixteen_bits(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(_grey(scene).astype(np.uint16) * 257), path, ".png")


def twelve_of_sixteen_bits(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(_grey(scene).astype(np.uint16) * 16), path, ".png")


def ten_of_sixteen_bits_tiff(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(_grey(scene).astype(np.uint16) * 4), path, ".tif")


def narrow_sixteen_bits(scene: Scene, path: Path) -> Path:
    values = 40 + _grey(scene).astype(np.uint16) * 3 // 5
    return _save(Image.fromarray(values), path, ".tif")


def rgba_opaque(scene: Scene, path: Path) -> Path:
    rgba = np.dstack([scene.rgb, np.full(scene.labels.shape, 255, np.uint8)])
    return _save(Image.fromarray(rgba), path, ".png")


def rgba_cut_out(scene: Scene, path: Path) -> Path:
    """The brightest class is transparent, so white on white; other colours are hidden beneath."""
    top = int(scene.labels[scene.labels < VOID].max())
    rgb = scene.rgb.copy()
    rgb[scene.labels == top] = (20, 10, 40)
    alpha = np.where(scene.labels == top, 0, 255).astype(np.uint8)
    return _save(Image.fromarray(np.dstack([rgb, alpha])), path, ".png")


def grey_and_alpha(scene: Scene, path: Path) -> Path:
    alpha = Image.new("L", scene.labels.shape[::-1], 255)
    return _save(Image.merge("LA", [Image.fromarray(_grey(scene)), alpha]), path, ".png")


def palette(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(_grey(scene)).convert("P"), path, ".png")


def cmyk(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(scene.rgb).convert("CMYK"), path, ".jpg", quality=97)


def srgb_profile(scene: Scene, path: Path) -> Path:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return _save(Image.fromarray(scene.rgb), path, ".png", icc_profile=profile)


def turned_by_exif(scene: Scene, path: Path) -> Path:
    """Stored on its side, as cameras do; upright it fits the mask."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(scene.rgb).transpose(Image.Transpose.ROTATE_90)
    return _save(stored, path, ".jpg", quality=97, subsampling=0, exif=exif)


def two_pages(scene: Scene, path: Path) -> Path:
    other = Image.fromarray(255 - scene.rgb)
    image = Image.fromarray(scene.rgb)
    return _save(image, path, ".tif", save_all=True, append_images=[other])


def animation(scene: Scene, path: Path) -> Path:
    other = Image.fromarray(255 - scene.rgb)
    image = Image.fromarray(scene.rgb)
    return _save(image, path, ".webp", lossless=True, save_all=True, append_images=[other])


def floats(scene: Scene, path: Path) -> Path:
    return _save(Image.fromarray(_grey(scene).astype(np.float32) / 255), path, ".tif")


PLAIN: dict[str, Writer] = {
    "jpeg": jpeg,
    "png": png,
    "bmp": bmp,
    "webp": webp,
    "tiff": tiff,
    "jfif": jfif,
    "avif": avif,
    "grey": grey_png,
    "16 bits": sixteen_bits,
    "opaque alpha": rgba_opaque,
    "grey and alpha": grey_and_alpha,
    "palette": palette,
    "CMYK": cmyk,
    "sRGB profile": srgb_profile,
    "EXIF-turned": turned_by_exif,
}
"""Pictures that have one right reading."""

ODD: dict[str, Writer] = {
    "12 of 16 bits": twelve_of_sixteen_bits,
    "10 of 16 bits": ten_of_sixteen_bits_tiff,
    "narrow 16 bits": narrow_sixteen_bits,
    "cut out": rgba_cut_out,
    "two pages": two_pages,
    "animation": animation,
    "floats": floats,
}
"""Pictures that may be refused, or read with a word."""
