"""Masks with one file a class: recognised by the names of folders and files, and merged."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.rasterize import RasterizedMask
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue, raise_first
from pixelwise.datasets.mask_encoding import drawn_encoding
from pixelwise.datasets.raw_mask import read_raw
from pixelwise.datasets.readers import folder
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first, images_in
from pixelwise.errors import DataError, ImageError
from pixelwise.io.images import Array, apply_orientation, list_images

LAYOUT = (
    "images/ and masks/ with a mask a class: masks/CLASS/x.png, masks/x/CLASS.png or "
    "masks/x_CLASS.png"
)

# (class name, file) of one image, sorted by class name.
ClassMasks = tuple[tuple[str, Path], ...]

# Ids are a byte, and 255 is void; the background is a class of its own.
_MAX_CLASSES = 254


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
    """Whether a folder of masks holds several for one image."""
    return any(_find_masks(images, masks) for _, images, masks in folder.layout(root)[0])


def _find_masks(images: Path, masks: Path) -> dict[str, ClassMasks]:
    names = {path.stem for path in images_in(images)}
    return find_class_masks(masks, names, images_in(masks))


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a set with one mask a class; classes by name, after the background.

    Raises DataError for another layout and images without any mask (unless `skip_unpaired`).
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The files of a set with one mask a class. Raises DataError for another layout."""
    splits = dict[str, tuple[Pair, ...]]()
    masks = dict[Path, ClassMasks]()
    notes = ["format layers: a mask for each class"]
    sides, layout_issues = folder.layout(root)
    issues = list(layout_issues)
    for split, image_folder, mask_folder in sides:
        by_name = _find_masks(image_folder, mask_folder)
        images = images_in(image_folder)
        bare = [path for path in images if path.stem not in by_name]
        refusal = ""
        if bare and not options.skip_unpaired:
            refusal = (
                f"{image_folder}: no mask of {first(path.name for path in bare)}; add one, or "
                "leave them out with --skip-unpaired"
            )
        issues.append(_layout_issue(mask_folder, by_name))
        issues += [
            Issue("image-without-mask", path, "no layer of it", refusal=refusal) for path in bare
        ]
        if bare:
            names = first(path.name for path in bare)
            notes.append(f"left out: {len(bare)} images without mask: {names}")
        paired = [path for path in images if path.stem in by_name]
        pairs = tuple(Pair(path.stem, path, path) for path in paired)
        splits[split] = splits.get(split, ()) + pairs
        masks |= {path: by_name[path.stem] for path in paired}
    if not masks:
        raise_first(issues)
        raise DataError(f"{root}: no masks of single classes; it needs {LAYOUT}")
    classes = Classes.named(class_names(list(masks.values())))
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
        MaskPerClassReader(masks, classes.names),
        drawn_encoding(classes, kind="one file a class", evidence=evidence),
        folders=tuple(dict.fromkeys(image_folder for _, image_folder, _ in sides)),
        sources=tuple(sorted(path for of_image in masks.values() for _, path in of_image)),
        hold_test=set(splits) == {"train"},
    )


def _layout_issue(mask_folder: Path, by_name: dict[str, ClassMasks]) -> Issue:
    names = sorted({name for of_image in by_name.values() for name, _ in of_image})
    text = f"{len(names)} classes: {', '.join(names[:8])}"
    return Issue("layout-layers", mask_folder, text, count=len(by_name))


def find_class_masks(masks: Path, images: set[str], files: list[Path]) -> dict[str, ClassMasks]:
    """The masks of each image, by its name; nothing where masks are written otherwise.

    Known are `masks/CLASS/NAME.png`, `masks/NAME/CLASS.png` and `masks/NAME_CLASS.png` (or with a
    dash or two underscores) with at least two files for some image and no mask called as its image.
    """
    if not masks.is_dir() or any(path.stem in images for path in files):
        return {}
    by_image = _masks_by_file(images, files) if files else _masks_by_folder(masks, images)
    if not any(len(of_image) > 1 for of_image in by_image.values()):
        return {}
    return {name: tuple(sorted(of_image.items())) for name, of_image in by_image.items()}


def _masks_by_file(images: set[str], files: list[Path]) -> dict[str, dict[str, Path]]:
    """`NAME_CLASS.png`: the longest name of an image that a file's name begins with."""
    by_image: dict[str, dict[str, Path]] = {}
    for path in files:
        stem = path.stem
        prefixes = [stem[:end] for end, letter in enumerate(stem) if letter in "_-"]
        name = max((prefix for prefix in prefixes if prefix in images), key=len, default=None)
        if name is not None:
            class_name = stem[len(name) :].lstrip("_-")
            by_image.setdefault(name, {})[class_name] = path
    return by_image


def _masks_by_folder(masks: Path, images: set[str]) -> dict[str, dict[str, Path]]:
    """`NAME/CLASS.png` where a folder is called as an image, else `CLASS/NAME.png`."""
    by_image: dict[str, dict[str, Path]] = {}
    folders = [path for path in masks.iterdir() if path.is_dir() and not path.is_symlink()]
    for subfolder in sorted(folders):
        for path in list_images(subfolder):
            if subfolder.name in images:
                by_image.setdefault(subfolder.name, {})[path.stem] = path
            elif path.stem in images:
                by_image.setdefault(path.stem, {})[subfolder.name] = path
    return by_image


def merge_class_masks(masks: ClassMasks, classes: tuple[str, ...]) -> tuple[Array, int]:
    """Labels (H, W), 0 where no mask is drawn, and how many pixels two masks claim; the later
    class covers.

    Anything of half the mask's greatest value or more is drawn. `classes` begin with the
    background. Raises ImageError for masks of unlike size, DataError for too many classes.
    """
    if len(classes) > _MAX_CLASSES:
        raise DataError(f"{len(classes)} classes; at most {_MAX_CLASSES} are allowed")
    labels: Array | None = None
    overlapped = 0
    for name, path in masks:
        drawn = _read_drawn(path)
        if labels is None:
            labels = np.zeros(drawn.shape, np.uint8)
        if labels.shape != drawn.shape:
            raise ImageError(
                f"{path}: {drawn.shape} pixels, but another layer of it has {labels.shape}"
            )
        overlapped += int((drawn & (labels > 0)).sum())
        labels[drawn] = classes.index(name)
    if labels is None:
        raise ImageError("no layer was given")
    return labels, overlapped


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
