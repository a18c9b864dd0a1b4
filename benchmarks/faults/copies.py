"""Images that are there twice, and in two splits."""

import shutil
from collections.abc import Callable

from PIL import Image

from .sample_set import EVERY, Fault, Planted, SampleSet


def copied_image(p: SampleSet, mild: bool) -> Planted:
    return _copies(p, mild, "train", lambda picture: picture)


def leaked_image(p: SampleSet, mild: bool) -> Planted:
    return _copies(p, mild, "test", lambda picture: picture)


def near_leak(p: SampleSet, mild: bool) -> Planted:
    def change(picture: Image.Image) -> Image.Image:
        small = picture.resize(
            (round(picture.width * 0.8), round(picture.height * 0.8)), Image.Resampling.BICUBIC
        )
        return small if mild else Image.eval(small, lambda value: min(255, int(value * 1.15 + 8)))

    return _copies(p, mild, "test", change, quality=60)


def near_copy(p: SampleSet, mild: bool) -> Planted:
    def change(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        edge = 0 if mild else 0.01
        return picture.crop(
            (
                int(width * edge),
                int(height * edge),
                int(width * (1 - edge)),
                int(height * (1 - edge)),
            )
        )

    return _copies(p, mild, "train", change, quality=70)


def _copies(
    p: SampleSet,
    mild: bool,
    split: str,
    change: Callable[[Image.Image], Image.Image],
    quality: int = 0,
) -> Planted:
    done = []
    for image, mask in p.some(mild):
        path = p.root / "images" / split / f"copy{image.name}"
        target = p.root / "masks" / split / f"copy{mask.name}"
        if quality:
            picture = change(Image.open(image))
            picture.save(path, quality=quality)
            Image.open(mask).resize(picture.size, Image.Resampling.NEAREST).save(target)
        else:
            shutil.copy(image, path)
            shutil.copy(mask, target)
        done += [path, image]
    return done


FAULTS = (
    Fault(copied_image, ("image-twice",), EVERY),
    Fault(leaked_image, ("image-leak",), EVERY),
    Fault(near_leak, ("image-near-leak",), EVERY),
    Fault(near_copy, ("image-near",), EVERY),
)
