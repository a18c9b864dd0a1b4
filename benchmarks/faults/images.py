"""Faults of images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from .sample_set import EVERY, Fault, Planted, SampleSet, colours, raw


def _resave(p: SampleSet, mild: bool, change: Callable[[Image.Image, Path], Path]) -> Planted:
    done = []
    for image, _ in p.some(mild):
        picture = Image.open(image).convert("RGB")
        image.unlink()
        done.append(change(picture, image))
    return done


def _saved(picture: Image.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)
    return path


def suffix_wrong(p: SampleSet, mild: bool) -> Planted:
    return _resave(p, mild, lambda picture, path: _saved(picture, path, format="PNG"))


def frames(p: SampleSet, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        more = [picture.rotate(180) for _ in range(1 if mild else 4)]
        return _saved(picture, path.with_suffix(".tif"), save_all=True, append_images=more)

    return _resave(p, mild, change)


def transparent(p: SampleSet, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        alpha = np.full((picture.height, picture.width), 255, np.uint8)
        alpha[:20, : 20 if mild else None] = 0
        picture.putalpha(Image.fromarray(alpha))
        return _saved(picture, path.with_suffix(".png"))

    return _resave(p, mild, change)


def twelve_bits(p: SampleSet, mild: bool) -> Planted:
    """A camera's 12 bits in files of 16."""

    def change(picture: Image.Image, path: Path) -> Path:
        grey = np.asarray(picture.convert("L")).astype(np.uint16)
        return _saved(Image.fromarray(grey * 16 if mild else grey * 4), path.with_suffix(".png"))

    return _resave(p, mild, change)


def near_infrared(p: SampleSet, mild: bool) -> Planted:
    """A fourth band that is no transparency."""

    def change(picture: Image.Image, path: Path) -> Path:
        rgb = np.asarray(picture)
        bands = np.dstack([rgb, 255 - rgb[..., 0]])
        # Photometric interpretation RGB, the fourth sample unspecified.
        return _saved(Image.fromarray(bands), path.with_suffix(".tif"), tiffinfo={338: (0,)})

    return _resave(p, mild, change)


def other_primaries(p: SampleSet, mild: bool) -> Planted:
    """Colours that mean others than sRGB's by their profile: red and green change places."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")

    def change(picture: Image.Image, path: Path) -> Path:
        return _saved(picture, path, quality=95, icc_profile=swapped)

    return _resave(p, mild, change)


def jpeg_without_end(p: SampleSet, mild: bool) -> Planted:
    done = []
    for image, _ in p.some(mild):
        data = image.read_bytes()
        image.write_bytes(data.removesuffix(b"\xff\xd9"))
        done.append(image)
    return done


def cmyk(p: SampleSet, mild: bool) -> Planted:
    return _resave(p, mild, lambda picture, path: _saved(picture.convert("CMYK"), path, quality=95))


def deep(p: SampleSet, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        return _saved(
            Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257),
            path.with_suffix(".png"),
        )

    return _resave(p, mild, change)


def floats(p: SampleSet, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        return _saved(picture.convert("F"), path.with_suffix(".tif"))

    return _resave(p, mild, change)


def grey(p: SampleSet, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        return _saved(
            picture.convert("L").convert("RGB"), path.with_suffix(".png" if mild else ".jpg")
        )

    return _resave(p, mild, change)


def blank_image(p: SampleSet, mild: bool) -> Planted:
    def change(picture: Image.Image, path: Path) -> Path:
        return _saved(Image.new("RGB", picture.size, (90, 120, 60) if mild else (0, 0, 0)), path)

    return _resave(p, mild, change)


def _scaled(p: SampleSet, mild: bool, factor: float) -> Planted:
    done = []
    for image, mask in p.some(mild, 3):
        for path, way in ((image, Image.Resampling.BICUBIC), (mask, Image.Resampling.NEAREST)):
            picture = Image.open(path)
            picture.resize(
                (round(picture.width * factor), round(picture.height * factor)), way
            ).save(path)
        done.append(image)
    return done


def tiny(p: SampleSet, mild: bool) -> Planted:
    return _scaled(p, mild, 0.2 if mild else 0.06)


def huge(p: SampleSet, mild: bool) -> Planted:
    return _scaled(p, mild, 5.0 if mild else 9.0)


def image_is_mask(p: SampleSet, mild: bool) -> Planted:
    done = []
    for image, mask in p.some(mild):
        picture = colours(raw(mask), p)
        image.unlink()
        done.append(_saved(Image.fromarray(picture), image.with_suffix(".png")))
    return done


FAULTS = (
    Fault(floats, ("bands-differ",)),
    Fault(suffix_wrong, ("suffix-wrong",)),
    Fault(frames, ("image-frames",)),
    Fault(transparent, ("image-transparent",)),
    Fault(cmyk, ("image-cmyk",)),
    Fault(twelve_bits, ("image-deep",)),
    Fault(near_infrared, ("image-bands",)),
    Fault(other_primaries, ("image-profile",)),
    Fault(jpeg_without_end, ("image-end",)),
    Fault(deep, ("image-deep",)),
    Fault(grey, ("image-grey",), EVERY),
    Fault(blank_image, ("image-blank",)),
    Fault(tiny, ("image-tiny",), ("street", "people")),
    Fault(huge, ("image-huge",)),
    Fault(image_is_mask, ("image-is-mask",), EVERY),
)
