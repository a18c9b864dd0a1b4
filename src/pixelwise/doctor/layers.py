"""Masks with one file a class: found by how folders and files are called, and put together."""

from pathlib import Path

import numpy as np

from pixelwise.errors import DataError, ImageError
from pixelwise.images import Array, list_images, open_image

Layers = tuple[tuple[str, Path], ...]
"""(class name, file) of one image, sorted by class name."""

_MOST = 254


def find_layers(masks: Path, images: set[str], files: list[Path]) -> dict[str, Layers]:
    """The layers of each image, by its name; nothing where masks are written otherwise.

    Known are `masks/CLASS/NAME.png`, `masks/NAME/CLASS.png` and `masks/NAME_CLASS.png` (or with a dash or two
    underscores) with at least two files for some image and no mask called as its image.
    """
    if not masks.is_dir() or any(path.stem in images for path in files):
        return {}
    found: dict[str, dict[str, Path]] = {}
    if files:
        for path in files:
            name = max((name for name in _heads(path.stem) if name in images), key=len, default=None)
            if name is not None:
                found.setdefault(name, {})[path.stem[len(name) :].lstrip("_-")] = path
    else:
        for folder in sorted(path for path in masks.iterdir() if path.is_dir() and not path.is_symlink()):
            for path in list_images(folder):
                name, layer = (folder.name, path.stem) if folder.name in images else (path.stem, folder.name)
                if name in images:
                    found.setdefault(name, {})[layer] = path
    if not any(len(layers) > 1 for layers in found.values()):
        return {}
    return {name: tuple(sorted(layers.items())) for name, layers in found.items()}


def merge(layers: Layers, classes: tuple[str, ...]) -> tuple[Array, int]:
    """Labels (H, W), 0 where no layer is drawn, and how many pixels two layers claim; the later class covers.

    Anything of half the layer's greatest value or more is drawn. `classes` begin with the background.
    Raises ImageError for layers of unlike size, DataError for too many classes.
    """
    if len(classes) > _MOST:
        raise DataError(f"{len(classes)} classes; at most {_MOST} are allowed")
    labels: Array | None = None
    claimed = 0
    for name, path in layers:
        grey = np.asarray(open_image(path).convert("L"))
        drawn = grey >= max(1, int(grey.max()) / 2)
        if labels is None:
            labels = np.zeros(drawn.shape, np.uint8)
        if labels.shape != drawn.shape:
            raise ImageError(f"{path}: {drawn.shape} pixels, but another layer of it has {labels.shape}")
        claimed += int((drawn & (labels > 0)).sum())
        labels[drawn] = classes.index(name)
    if labels is None:
        raise ImageError("no layer was given")
    return labels, claimed


def layer_names(found: list[Layers]) -> tuple[str, ...]:
    """The classes of all layers, background first."""
    names = {name for layers in found for name, _ in layers}
    return ("background", *sorted(names - {"background"}))


def _heads(stem: str) -> list[str]:
    return [stem[:at] for at, letter in enumerate(stem) if letter in "_-"]
