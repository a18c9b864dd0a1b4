"""Masks with one file a class: found by how folders and files are called, and put together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.rasterize import Drawing
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue, raise_first
from pixelwise.datasets.mask_encoding import drawn_encoding
from pixelwise.datasets.readers import folder
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first, images_in
from pixelwise.errors import DataError, ImageError
from pixelwise.io.images import Array, list_images, open_image

LAYOUT = (
    "images/ and masks/ with a mask a class: masks/CLASS/x.png, masks/x/CLASS.png or "
    "masks/x_CLASS.png"
)
Layers = tuple[tuple[str, Path], ...]
"""(class name, file) of one image, sorted by class name."""

_MOST = 254


@dataclass(frozen=True)
class LayerReader:
    """Labels of an image, by its path, from the layers of its class."""

    layers: Mapping[Path, Layers]
    classes: tuple[str, ...]

    def __call__(self, image: Path) -> Array:
        """Labels (H, W) uint8. Raises ImageError for layers that cannot be read or differ in
        size.
        """
        return self.drawing(image).labels

    def drawing(self, image: Path) -> Drawing:
        """As called, with the pixels that two layers claim."""
        try:
            labels, claimed = merge(self.layers[image], self.classes)
        except ImageError as error:
            raise ImageError.of_file(image, error.reason) from error
        return Drawing(labels, 0, 0, claimed)


def matches(root: Path) -> bool:
    """Whether a folder of masks holds several for one image."""
    return any(_layers_in(images, masks) for _, images, masks in folder.layout(root)[0])


def _layers_in(images: Path, masks: Path) -> dict[str, Layers]:
    return find_layers(masks, {path.stem for path in images_in(images)}, images_in(masks))


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a set with one mask a class; classes by name, after the background.

    Raises DataError for another layout and images without any mask (unless `skip_unpaired`).
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The files of a set with one mask a class. Raises DataError for another layout."""
    splits = dict[str, tuple[Pair, ...]]()
    layers = dict[Path, Layers]()
    notes = ["format layers: a mask for each class"]
    sides, found = folder.layout(root)
    issues = list(found)
    for split, images, masks in sides:
        by_name = _layers_in(images, masks)
        pictures = images_in(images)
        bare = [path for path in pictures if path.stem not in by_name]
        refusal = ""
        if bare and not options.skip_unpaired:
            refusal = (
                f"{images}: no mask of {first(path.name for path in bare)}; add one, or leave "
                "them out with --skip-unpaired"
            )
        issues.append(_layout_issue(masks, by_name))
        issues += [
            Issue("image-without-mask", path, "no layer of it", refusal=refusal) for path in bare
        ]
        if bare:
            names = first(path.name for path in bare)
            notes.append(f"left out: {len(bare)} images without mask: {names}")
        own = [path for path in pictures if path.stem in by_name]
        splits[split] = splits.get(split, ()) + tuple(Pair(path.stem, path, path) for path in own)
        layers |= {path: by_name[path.stem] for path in own}
    if not layers:
        raise_first(issues)
        raise DataError(f"{root}: no masks of single classes; it needs {LAYOUT}")
    classes = Classes.named(layer_names(list(layers.values())))
    notes.append(
        f"{len(classes)} classes: {first(classes.names)}; where masks overlap, the later by "
        "name covers the earlier"
    )
    evidence = f"{len(classes)} classes"
    return Index(
        "layers",
        root,
        splits,
        tuple(issues),
        tuple(notes),
        classes,
        LayerReader(layers, classes.names),
        drawn_encoding(classes, kind="one file a class", evidence=evidence),
        folders=tuple(dict.fromkeys(images for _, images, _ in sides)),
        sources=tuple(sorted(path for each in layers.values() for _, path in each)),
        hold_test=set(splits) == {"train"},
    )


def _layout_issue(masks: Path, by_name: dict[str, Layers]) -> Issue:
    names = sorted({name for layer in by_name.values() for name, _ in layer})
    text = f"{len(names)} classes: {', '.join(names[:8])}"
    return Issue("layout-layers", masks, text, count=len(by_name))


def find_layers(masks: Path, images: set[str], files: list[Path]) -> dict[str, Layers]:
    """The layers of each image, by its name; nothing where masks are written otherwise.

    Known are `masks/CLASS/NAME.png`, `masks/NAME/CLASS.png` and `masks/NAME_CLASS.png` (or with a
    dash or two underscores) with at least two files for some image and no mask called as its image.
    """
    if not masks.is_dir() or any(path.stem in images for path in files):
        return {}
    found: dict[str, dict[str, Path]] = {}
    if files:
        for path in files:
            name = max(
                (name for name in _heads(path.stem) if name in images), key=len, default=None
            )
            if name is not None:
                found.setdefault(name, {})[path.stem[len(name) :].lstrip("_-")] = path
    else:
        for folder in sorted(
            path for path in masks.iterdir() if path.is_dir() and not path.is_symlink()
        ):
            for path in list_images(folder):
                name, layer = (
                    (folder.name, path.stem) if folder.name in images else (path.stem, folder.name)
                )
                if name in images:
                    found.setdefault(name, {})[layer] = path
    if not any(len(layers) > 1 for layers in found.values()):
        return {}
    return {name: tuple(sorted(layers.items())) for name, layers in found.items()}


def merge(layers: Layers, classes: tuple[str, ...]) -> tuple[Array, int]:
    """Labels (H, W), 0 where no layer is drawn, and how many pixels two layers claim; the later
    class covers.

    Anything of half the layer's greatest value or more is drawn. `classes` begin with the
    background. Raises ImageError for layers of unlike size, DataError for too many classes.
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
            raise ImageError(
                f"{path}: {drawn.shape} pixels, but another layer of it has {labels.shape}"
            )
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
