"""Masks with one file a class, or a file a part: recognised by the names of folders and files, and
merged.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.layer_names import (
    FOREGROUND,
    LayerClasses,
    class_of_word,
    find_layer_classes,
)
from pixelwise.datasets.annotations.rasterize import RasterizedMask
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue, raise_first
from pixelwise.datasets.mask_encoding import drawn_encoding
from pixelwise.datasets.mask_names import NameLookup, match_names
from pixelwise.datasets.raw_mask import read_raw
from pixelwise.datasets.readers.layout import Place, find_layout
from pixelwise.datasets.readers.truth_folders import count_values, list_subfolders
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first, images_in
from pixelwise.errors import DataError, ImageError
from pixelwise.io.images import Array, apply_orientation

LAYOUT = (
    "images/ and masks/ with a mask a class: masks/CLASS/x.png, masks/x/CLASS.png or "
    "masks/x_CLASS.png; numbers or hashes for CLASS are parts of one class"
)

# (class name, file) of one image, sorted; several files may be of one class.
ClassMasks = tuple[tuple[str, Path], ...]

# Ids are a byte, and 255 is void; the background is a class of its own.
_MAX_CLASSES = 254


@dataclass(frozen=True)
class Layers:
    """The layers of the images of a place: files by word, by the image's name, and what the words
    mean; `unpaired` are files of no image.
    """

    files: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    classes: LayerClasses = field(default_factory=LayerClasses)
    unpaired: tuple[Path, ...] = ()

    def masks(self) -> dict[str, ClassMasks]:
        """The masks of each image, by its name; files that hold all classes at once are left
        out.
        """
        masks = {}
        for name, by_word in self.files.items():
            of_image = [
                (self.classes.by_word[word], path)
                for word, path in by_word.items()
                if word not in self.classes.wholes
            ]
            if of_image:
                masks[name] = tuple(sorted(of_image))
        return masks


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
    """Whether a folder of masks holds several for one image, or folders of classes."""
    return any(_find_layers(place).files for place in find_layout(root).places)


def _find_layers(place: Place) -> Layers:
    if place.images == place.masks:
        return Layers()
    names = [path.stem for path in images_in(place.images)]
    return find_layers(place.masks, names, images_in(place.masks))


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
    layout = find_layout(root, options.mask_folder or "")
    issues = list(layout.issues)
    one_class = False
    for place in layout.places:
        layers = _find_layers(place)
        by_name = layers.masks()
        one_class = one_class or layers.classes.one_class
        images = images_in(place.images)
        bare = [path for path in images if path.stem not in by_name]
        issues += _list_issues(place, layers, bare, options)
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
        folders=tuple(dict.fromkeys(place.images for place in layout.places)),
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
        f"{len(classes)} classes: {first(classes.names)}; where masks overlap, the later by "
        "name covers the earlier",
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


def find_layers(masks: Path, images: list[str], files: list[Path]) -> Layers:
    """The layers of each image, by its name; nothing where masks are written otherwise.

    Known are `masks/CLASS/NAME.png` of two classes or more, `masks/NAME/CLASS.png` and
    `masks/NAME_CLASS.png` (or with a dash or two underscores), the last two with at least two files
    for some image and no mask called as its image.
    """
    lookup = NameLookup(images)
    if not masks.is_dir() or any(path.stem in lookup for path in files):
        return Layers()
    if not files:
        return _find_in_folders(masks, lookup)
    by_image = _files_by_image(lookup, files)
    stems = [path.stem for path in files]
    match = match_names(images, stems)
    is_plain = len(match.images) + len(match.companions) == len(stems)
    if is_plain and len(set(match.images.values())) == len(match.images):
        return Layers()
    return _layers_of(by_image, files)


def _layers_of(by_image: Mapping[str, Mapping[str, Path]], files: Sequence[Path]) -> Layers:
    if not any(len(by_word) > 1 for by_word in by_image.values()):
        return Layers()
    used = {path for by_word in by_image.values() for path in by_word.values()}
    unpaired = tuple(path for path in files if path not in used)
    return Layers(by_image, find_layer_classes(by_image), unpaired)


def _files_by_image(lookup: NameLookup, files: list[Path]) -> dict[str, dict[str, Path]]:
    """`NAME_CLASS.png`: the longest name of an image that a file's name begins with."""
    by_image: dict[str, dict[str, Path]] = {}
    for path in files:
        stem = path.stem
        prefixes = [stem[:end] for end, letter in enumerate(stem) if letter in "_-"]
        name = max((prefix for prefix in prefixes if prefix in lookup), key=len, default=None)
        if name is not None:
            word = stem[len(name) :].lstrip("_-")
            by_image.setdefault(name, {})[word] = path
    return by_image


def _find_in_folders(masks: Path, lookup: NameLookup) -> Layers:
    """`NAME/CLASS.png` where a folder is called as an image, else `CLASS/NAME.png`."""
    folders = [path for path in list_subfolders(masks) if not path.is_symlink()]
    files = {folder: images_in(folder) for folder in folders}
    listed = [path for folder in folders for path in files[folder]]
    by_image = {
        folder.name: {path.stem: path for path in files[folder]}
        for folder in folders
        if folder.name in lookup and files[folder]
    }
    if by_image:
        words = {word for by_word in by_image.values() for word in by_word}
        if len(words) == 1 and _are_two_valued(by_image):
            unread = tuple(path for path in listed if path.parent.name not in by_image)
            return Layers(by_image, LayerClasses(_name_alone(words)), unread)
        return _layers_of(by_image, listed)
    by_class: dict[str, dict[str, Path]] = {}
    classes = set()
    unpaired = []
    for path in listed:
        name = lookup.find(path.stem)
        if name is None:
            unpaired.append(path)
            continue
        by_class.setdefault(name, {})[path.parent.name] = path
        classes.add(path.parent.name)
    if not classes or (len(classes) == 1 and not _are_two_valued(by_class)):
        return Layers()
    by_word = {name: name for name in classes} if len(classes) > 1 else _name_alone(classes)
    meaning = LayerClasses(by_word, problem=_find_copies(classes))
    return Layers(by_class, meaning, tuple(unpaired))


def _name_alone(words: Collection[str]) -> dict[str, str]:
    """The class of the only word there is: the word itself unless it says mask."""
    return {word: class_of_word(word) or FOREGROUND for word in words}


def _are_two_valued(by_class: Mapping[str, Mapping[str, Path]]) -> bool:
    """Whether the masks of a single folder draw one class: they may as well hold ids of several."""
    paths = [path for by_word in by_class.values() for path in by_word.values()]
    samples = (paths[0], paths[len(paths) // 2], paths[-1])
    return all(count_values(path) <= 2 for path in samples)


def _find_copies(classes: set[str]) -> str:
    """What speaks against folders being classes: rater1/ and rater2/ are masks of one thing."""
    if len(classes) == 1 or len({class_of_word(name) for name in classes}) > 1:
        return ""
    names = sorted(classes)
    return f"{names[0]}/ and {names[1]}/ may be classes, parts, or masks by several people"


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
        label = classes.index(name)
        overlapped += int((drawn & (labels > 0) & (labels != label)).sum())
        labels[drawn] = label
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
