"""Truth of classes that overlap: layers (C, H, W) uint8, 1 where a pixel is of a class, 0 where
not, 255 for void.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.annotations.image_annotations import AnnotationReader
from pixelwise.datasets.annotations.layer_files import ClassMasks
from pixelwise.datasets.annotations.mask_per_class import (
    SMALLER_COVERS,
    MaskPerClassReader,
    read_drawn_masks,
)
from pixelwise.datasets.annotations.rasterize import (
    BY_AREA,
    BY_LAYER,
    BY_ORDER,
    fill_shapes,
)
from pixelwise.datasets.band_layers import BandLayers, count_bands, name_bands
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.picture_blocks import is_one_picture
from pixelwise.datasets.types import DataOptions, DataSet, first
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.io.images import Array
from pixelwise.palette import BACKGROUND_COLOUR

NEEDS_ONE_CLASS = (
    "multilabel: this takes data of one class a pixel; leave it out (`train` and `evaluate` take "
    "classes that overlap)"
)

_KEPT = "all classes of a pixel are kept (multilabel)"
_SOURCES = (
    "a mask file a class (stem_CLASS.png or CLASS/stem.png), outlines (coco, labelme, cvat, yolo, "
    "via, geojson, labelstudio, supervisely, rle), or TIFF masks of a band a class"
)


@dataclass(frozen=True)
class MaskLayers:
    """Layers of an image, by its path, from one mask file or several a class."""

    masks: Mapping[Path, ClassMasks]
    classes: tuple[str, ...]

    def __call__(self, image: Path) -> Array:
        """(C, H, W). Raises ImageError for masks that cannot be read or differ in size."""
        try:
            drawn = list(read_drawn_masks(self.masks[image]))
        except ImageError as error:
            raise ImageError.of_file(image, error.reason) from error
        layers = np.zeros((len(self.classes), *drawn[0][1].shape), np.uint8)
        for name, mask in drawn:
            layers[self.classes.index(name)] |= mask
        return layers


@dataclass(frozen=True)
class ShapeLayers:
    """Layers of an image, by its path, from the shapes drawn on it. A shape of the background
    clears what lies below it; one of void is void in all layers.
    """

    reader: AnnotationReader

    def __call__(self, image: Path) -> Array:
        """(C, H, W). Raises ImageError for a record that cannot be drawn."""
        annotation = self.reader.parse_image(image)
        mapping = self.reader.mapping
        background = mapping.uncovered
        labels = [label for label in range(len(mapping.classes)) if label != background]
        start = VOID if background == VOID else 0
        layers = np.full((len(labels), *annotation.size), start, np.uint8)
        shapes = fill_shapes(annotation.shapes, annotation.size, by_area=self.reader.by_area)
        for _, shape, patches in shapes:
            for top, left, bits in patches:
                window = layers[:, top : top + bits.shape[0], left : left + bits.shape[1]]
                if shape.label in (background, VOID):
                    window[:, bits] = VOID if shape.label == VOID else 0
                    continue
                window[:, bits & (window == VOID).all(0)] = 0
                window[labels.index(shape.label)][bits] = 1
        return layers


def keep_overlap(index: Index) -> Index:
    """The index of a data set whose classes overlap: without the background, and with a reader of
    layers. Raises DataError for a format whose masks hold one class a pixel.
    """
    reader = index.read_labels
    if index.classes is not None and isinstance(reader, MaskPerClassReader):
        names = reader.classes[1:]
        classes = Classes(names, index.classes.palette[1:])
        # of parts of one class nothing is said to cover another
        listed = f"{len(names)} classes: {first(names)}; {_KEPT}"
        notes = tuple(listed if SMALLER_COVERS in note else note for note in index.notes)
        layers: MaskLayers | ShapeLayers | BandLayers = MaskLayers(reader.masks, names)
    elif index.classes is not None and isinstance(reader, AnnotationReader):
        classes = _without(index.classes, reader.mapping.uncovered)
        covering = (BY_AREA, BY_ORDER, BY_LAYER, reader.overlap_note)
        listed = f"{len(classes)} classes: {first(classes.names)}"
        replaced = {**dict.fromkeys(covering, _KEPT), reader.mapping.note: listed}
        notes = tuple(replaced.get(note, note) for note in index.notes)
        layers = ShapeLayers(reader)
    elif reader is None and index.pairs() and count_bands(index.pairs()[0][1].mask) > 1:
        classes = name_bands(index.pairs()[0][1].mask, index.declared)
        listed = f"{len(classes)} classes, a band each: {first(classes.names)}; {_KEPT}"
        notes = (*index.notes, listed)
        layers = BandLayers(len(classes))
    else:
        raise DataError(
            f"{index.root}: read as {index.format}, whose masks hold one class a pixel, so nothing "
            f"overlaps: leave out --multilabel, or give {_SOURCES}"
        )
    return replace(index, classes=classes, read_labels=layers, notes=notes)


def _without(classes: Classes, background: int) -> Classes:
    pairs = list(enumerate(zip(classes.names, classes.palette, strict=True)))
    names, palette = zip(*(pair for label, pair in pairs if label != background), strict=True)
    return Classes(names, palette)


def open_layers(index: Index, options: DataOptions) -> DataSet:
    """As `open_index`, of classes that overlap. Raises ConfigError and DataError for what is not
    done with such, and as `keep_overlap`.
    """
    for name in ("merge", "drop", "tree", "object_gap", "matte"):
        if getattr(options, name):
            raise ConfigError(f"multilabel does not go with {name}: leave one of them out")
    index = keep_overlap(index)
    if is_one_picture(index.splits, options):
        raise DataError(
            f"{index.root}: one picture would be cut in blocks, which is not done for classes "
            "that overlap; add an image, or leave out --multilabel"
        )
    return replace(open_index(index, options), multilabel=True)


def flatten_layers(layers: Array) -> Array:
    """Labels (H, W) of layers (C, H, W), for what needs one class a pixel: that of the smallest
    layer there, from 1 on; 0 where there is none, void where all are.
    """
    labels: Array = np.where((layers == VOID).all(0), VOID, 0).astype(np.uint8)
    areas = (layers == 1).sum((1, 2))
    for number in np.argsort(-areas, kind="stable"):  # the smallest last
        labels[layers[number] == 1] = number + 1
    return labels


def read_flat(dataset: DataSet, mask: Path) -> Array:
    """Labels (H, W) of a mask of any data set; of classes that overlap as `flatten_layers`."""
    labels = dataset.read_labels(mask)
    return flatten_layers(labels) if dataset.multilabel else labels


def flat_classes(dataset: DataSet) -> Classes:
    """What the labels of `read_flat` mean."""
    classes = dataset.classes
    if not dataset.multilabel:
        return classes
    return Classes(("none of them", *classes.names), (BACKGROUND_COLOUR, *classes.palette))
