"""Masks with one file a class, or a file a part: recognised by the names of folders and files, and
merged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.layer_files import (
    ClassMasks,
    Layers,
    find_sources,
)
from pixelwise.datasets.annotations.layer_names import FOREGROUND
from pixelwise.datasets.annotations.rasterize import RasterizedMask
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue, raise_first
from pixelwise.datasets.mask_encoding import drawn_encoding
from pixelwise.datasets.raw_mask import read_raw
from pixelwise.datasets.readers.layout import Place
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first
from pixelwise.errors import DataError, ImageError
from pixelwise.io.images import Array, apply_orientation

LAYOUT = (
    "images/ and masks/ with a mask a class: masks/CLASS/x.png, masks/x/CLASS.png or "
    "masks/x_CLASS.png, or x/images/ and x/masks/; numbers or hashes for CLASS are parts of one "
    "class"
)

# Ids are a byte, and 255 is void; the background is a class of its own.
_MAX_CLASSES = 254
SMALLER_COVERS = "where masks overlap, the smaller covers the larger"


@dataclass(frozen=True)
class MaskPerClassReader:
    """Labels of an image, by its path, from the masks of its classes."""

    masks: Mapping[Path, ClassMasks]
    classes: tuple[str, ...]

    def __call__(self, image: Path) -> Array:
        """Labels (H, W) uint8. Raises ImageError for masks that cannot be read or differ in
        size.
        """
        return self.rasterize(image).labels

    def rasterize(self, image: Path) -> RasterizedMask:
        """As called, with the pixels that two masks claim."""
        try:
            labels, overlapped = merge_class_masks(self.masks[image], self.classes)
        except ImageError as error:
            raise ImageError.of_file(image, error.reason) from error
        return RasterizedMask(labels, clipped=0, blank=0, overlapped=overlapped)


def matches(root: Path) -> bool:
    """Whether a folder of masks holds several for one image, or folders of classes, or each image
    has a folder of its own with its masks.
    """
    return any(source.layers.files for source in find_sources(root)[0])


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a set with one mask a class; classes by name, after the background.

    Raises DataError for another layout and images without any mask (unless `skip_unpaired`).
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The files of a set with one mask a class. Raises DataError for another layout."""
    splits = dict[str, tuple[Pair, ...]]()
    masks = dict[Path, ClassMasks]()
    notes: list[str] = []
    sources, issues = find_sources(root, options.mask_folder or "")
    one_class = False
    for source in sources:
        place = source.place
        images = source.images
        by_name = source.layers.masks()
        one_class = one_class or source.layers.classes.one_class
        bare = [path for path in images if path.stem not in by_name]
        issues += _list_issues(place, source.layers, bare, options)
        if bare:
            names = first(path.name for path in bare)
            notes.append(f"left out: {len(bare)} images without mask: {names}")
        paired = [path for path in images if path.stem in by_name]
        pairs = tuple(Pair(path.stem, path, path) for path in paired)
        splits[place.split] = splits.get(place.split, ()) + pairs
        masks |= {path: by_name[path.stem] for path in paired}
    if not masks:
        raise_first(issues)
        raise DataError(f"{root}: no masks of single classes; it needs {LAYOUT}")
    classes = Classes.named(class_names(list(masks.values())))
    evidence = f"{len(classes)} classes"
    return Index(
        "layers",
        root,
        splits,
        tuple(issues),
        (*_describe_classes(classes, one_class=one_class), *notes),
        classes,
        MaskPerClassReader(masks, classes.names),
        drawn_encoding(classes, kind="one file a class", evidence=evidence),
        folders=tuple(dict.fromkeys(path for source in sources for path in source.folders)),
        sources=tuple(sorted(path for of_image in masks.values() for _, path in of_image)),
        hold_test=set(splits) == {"train"},
    )


def _describe_classes(classes: Classes, *, one_class: bool) -> tuple[str, str]:
    if one_class:
        return (
            "format layers: several masks for an image, all of them parts of one class",
            f"2 classes: background and {FOREGROUND}, as the masks' names are numbers, hashes or "
            "one word",
        )
    return (
        "format layers: a mask for each class",
        f"{len(classes)} classes: {first(classes.names)}; {SMALLER_COVERS}",
    )


def _list_issues(
    place: Place, layers: Layers, bare: list[Path], options: DataOptions
) -> list[Issue]:
    """What is wrong with the layers of a place, and what they are."""
    classes = layers.classes
    folder = place.masks
    issues = []
    if classes.problem:
        refusal = (
            f"{folder}: {classes.problem}; call each mask x_CLASS.png, or x_1.png, x_2.png where "
            "they are parts of one class"
        )
        issues.append(Issue("layers-doubtful", folder, classes.problem, refusal=refusal))
    issues.append(_layout_issue(folder, layers))
    if classes.wholes:
        names = ", ".join(sorted(classes.wholes))
        text = f"the files called {names} hold all classes at once and are not read"
        issues.append(Issue("beside-unused", folder, text))
    refusal = ""
    if bare and not options.skip_unpaired:
        refusal = (
            f"{place.images}: no mask of {first(path.name for path in bare)}; add one, or "
            "leave them out with --skip-unpaired"
        )
    issues += [
        Issue("image-without-mask", path, "no layer of it", refusal=refusal) for path in bare
    ]
    return [*issues, *_list_unpaired(folder, layers, options)]


def _list_unpaired(folder: Path, layers: Layers, options: DataOptions) -> list[Issue]:
    if not layers.unpaired:
        return []
    names = first(str(path.relative_to(folder)) for path in layers.unpaired)
    refusal = ""
    if not options.skip_unpaired:
        refusal = (
            f"{folder}: {len(layers.unpaired)} masks without image ({names}); add the images, or "
            "leave them out with --skip-unpaired"
        )
    return [
        Issue("mask-without-image", path, "no image of it", refusal=refusal)
        for path in layers.unpaired
    ]


def _layout_issue(mask_folder: Path, layers: Layers) -> Issue:
    names = sorted(set(layers.classes.by_word.values()))
    text = f"{len(names)} classes: {', '.join(names[:8])}"
    if layers.classes.one_class:
        text = f"several masks for an image, read as parts of one class: {FOREGROUND}"
    return Issue("layout-layers", mask_folder, text, count=len(layers.files))


def merge_class_masks(masks: ClassMasks, classes: tuple[str, ...]) -> tuple[Array, int]:
    """Labels (H, W), 0 where no mask is drawn, and how many pixels masks of two classes claim;
    there the smaller mask covers the larger, as an eye its face.

    Anything of half the mask's greatest value or more is drawn. `classes` begin with the
    background. Raises ImageError for masks of unlike size, DataError for too many classes.
    """
    if len(classes) > _MAX_CLASSES:
        raise DataError(f"{len(classes)} classes; at most {_MAX_CLASSES} are allowed")
    labels: Array | None = None
    overlapped = 0
    for name, drawn in read_drawn_masks(masks):
        if labels is None:
            labels = np.zeros(drawn.shape, np.uint8)
            areas = np.full(drawn.shape, drawn.size, np.int64)  # of the mask that a pixel is of
        label = classes.index(name)
        overlapped += int((drawn & (labels > 0) & (labels != label)).sum())
        area = int(drawn.sum())
        on_top = drawn & (areas >= area)
        labels[on_top] = label
        areas[on_top] = area
    if labels is None:
        raise ImageError("no layer was given")
    return labels, overlapped


def read_drawn_masks(masks: ClassMasks) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The class of each mask of an image, and where it is drawn (H, W). Raises ImageError for masks
    of unlike size.
    """
    shape: tuple[int, ...] | None = None
    for name, path in masks:
        drawn = _read_drawn(path)
        shape = shape or drawn.shape
        if shape != drawn.shape:
            raise ImageError(f"{path}: {drawn.shape} pixels, but another layer of it has {shape}")
        yield name, drawn


def _read_drawn(path: Path) -> NDArray[np.bool_]:
    """(H, W): where a class is drawn: in alpha where the colours say nothing, as in any mask."""
    mask = read_raw(path)
    if mask.alpha == 0:  # nothing can be seen
        return np.zeros(mask.values.shape, bool)
    grey = mask.values if mask.in_alpha else np.asarray(apply_orientation(mask.image).convert("L"))
    return np.asarray(grey >= max(1, int(grey.max()) / 2))


def class_names(masks: list[ClassMasks]) -> tuple[str, ...]:
    """The classes of all masks, background first."""
    names = {name for of_image in masks for name, _ in of_image}
    return ("background", *sorted(names - {"background"}))
