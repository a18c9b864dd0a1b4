"""Writing a scene's labels as the mask files that people have."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .truth import COLOURS, VOID, Array, Scene

Writer = Callable[[Array, Path], Path]


@dataclass(frozen=True)
class MaskKind:
    """How masks are written: `classes` are the numbers of classes that it can hold; with `void` it
    can hold void. `odd` masks may be refused.
    """

    write: Writer
    classes: tuple[int, ...] = (2, 3, 4)
    void: bool = True
    colours: bool = False
    odd: bool = False


def _save(image: Image.Image, path: Path, suffix: str = ".png", **options: object) -> Path:
    target = path.with_name(path.name + suffix)
    image.save(target, **options)
    return target


def _with_palette(labels: Array) -> Image.Image:
    image = Image.fromarray(labels)
    channels = [channel for colour in COLOURS for channel in colour]
    image.putpalette(channels + [224] * (768 - len(channels)))
    return image


def ids(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(labels), path)


def ids_bmp(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(labels), path, ".bmp")


def ids_tiff(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(labels), path, ".tif")


def with_palette(labels: Array, path: Path) -> Path:
    return _save(_with_palette(labels), path)


def sixteen_bits(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(labels.astype(np.uint16)), path)


def times_257(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(labels.astype(np.uint16) * 257), path)


def int32(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(labels.astype(np.int32)), path, ".tif")


def whole_floats(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(labels.astype(np.float32)), path, ".tif")


def grey_as_rgb(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(np.dstack([labels] * 3)), path)


def black_and_white(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(np.where(labels == 1, 255, 0).astype(np.uint8)), path)


def black_and_white_jpeg(labels: Array, path: Path) -> Path:
    image = Image.fromarray(np.where(labels == 1, 255, 0).astype(np.uint8))
    return _save(image, path, ".jpg", quality=90)


def one_bit(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(np.where(labels == 1, 255, 0).astype(np.uint8)).convert("1"), path)


def two_greys(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(np.where(labels == 1, 200, 100).astype(np.uint8)), path)


def stretched(labels: Array, path: Path) -> Path:
    """Ids spread over 0 to 255, for the eye."""
    return _save(Image.fromarray((labels.astype(int) * 85).clip(0, 255).astype(np.uint8)), path)


def colours(labels: Array, path: Path) -> Path:
    table = np.full((256, 3), 224, np.uint8)
    table[: len(COLOURS)] = COLOURS
    return _save(Image.fromarray(table[labels]), path)


def colours_rgba(labels: Array, path: Path) -> Path:
    table = np.full((256, 4), 255, np.uint8)
    table[: len(COLOURS), :3] = COLOURS
    return _save(Image.fromarray(table[labels]), path)


def in_alpha(labels: Array, path: Path) -> Path:
    rgba = np.zeros((*labels.shape, 4), np.uint8)
    rgba[..., 3] = np.where(labels == 1, 255, 0)
    return _save(Image.fromarray(rgba), path)


def smooth(labels: Array, path: Path) -> Path:
    """Ids resized smoothly, as image editors do."""
    image = Image.fromarray(labels * np.uint8(60))
    half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
    return _save(half.resize(image.size, Image.Resampling.BICUBIC), path)


def ids_jpeg(labels: Array, path: Path) -> Path:
    return _save(Image.fromarray(labels), path, ".jpg", quality=80)


def from_one(labels: Array, path: Path) -> Path:
    shifted = np.where(labels == VOID, VOID, labels + 1).astype(np.uint8)
    return _save(Image.fromarray(shifted), path)


def arrays(labels: Array, path: Path) -> Path:
    target = path.with_name(path.name + ".npy")
    np.save(target, labels)
    return target


KINDS: dict[str, MaskKind] = {
    "ids": MaskKind(ids),
    "ids as BMP": MaskKind(ids_bmp),
    "ids as TIFF": MaskKind(ids_tiff),
    "palette": MaskKind(with_palette),
    "16 bits": MaskKind(sixteen_bits),
    "16 bits x 257": MaskKind(times_257, void=False, odd=True),
    "32 bits": MaskKind(int32),
    "whole floats": MaskKind(whole_floats, odd=True),
    "grey as RGB": MaskKind(grey_as_rgb),
    "0 and 255": MaskKind(black_and_white, (2,), void=False),
    "0 and 255 as JPEG": MaskKind(black_and_white_jpeg, (2,), void=False, odd=True),
    "one bit": MaskKind(one_bit, (2,), void=False),
    "100 and 200": MaskKind(two_greys, (2,), void=False),
    "stretched": MaskKind(stretched, (3, 4), void=False, odd=True),
    "colours": MaskKind(colours, colours=True, void=False),
    "colours with alpha": MaskKind(colours_rgba, colours=True, void=False),
    "in alpha": MaskKind(in_alpha, (2,), void=False),
    "smooth": MaskKind(smooth, (3, 4), void=False, odd=True),
    "ids as JPEG": MaskKind(ids_jpeg, (3, 4), void=False, odd=True),
    "from one": MaskKind(from_one, odd=True),
    "arrays": MaskKind(arrays, odd=True),
}


def scene_mask(scene: Scene, kind: MaskKind, path: Path) -> Path:
    """Write the mask of a scene."""
    return kind.write(scene.labels, path)
