"""The masks of each image where a mask holds one class, or a part of one: found by the names of
folders and files.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.datasets.annotations.layer_names import (
    FOREGROUND,
    LayerClasses,
    class_of_word,
    find_layer_classes,
)
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_names import NameLookup, match_names
from pixelwise.datasets.readers.layout import FLAT, Place, find_layout, find_sides
from pixelwise.datasets.readers.truth_folders import count_values, list_subfolders
from pixelwise.datasets.splits import split_of
from pixelwise.datasets.types import images_in

# (class name, file) of one image, sorted; several files may be of one class.
ClassMasks = tuple[tuple[str, Path], ...]


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
class Source:
    """The images of a place, the folders they lie in, and their layers."""

    place: Place
    images: tuple[Path, ...]
    folders: tuple[Path, ...]
    layers: Layers


def find_sources(root: Path, mask_folder: str = "") -> tuple[list[Source], list[Issue]]:
    """Where images and their layers lie, and issues; the layers of a place may be none."""
    one_image_each = _find_image_folders(root)
    if one_image_each:
        return [one_image_each], []
    layout = find_layout(root, mask_folder)
    sources = []
    for place in layout.places:
        images = tuple(images_in(place.images))
        layers = Layers()
        if place.images != place.masks:
            names = [path.stem for path in images]
            layers = find_layers(place.masks, names, images_in(place.masks))
        sources.append(Source(place, images, (place.images,), layers))
    return sources, list(layout.issues)


def _find_image_folders(root: Path) -> Source | None:
    """A folder for each image, with it in images/ and its layers in masks/, as the Data Science
    Bowl of 2018 has it.
    """
    images = []
    by_image: dict[str, dict[str, Path]] = {}
    for folder in list_subfolders(root):
        sides = None if split_of(folder.name) else find_sides(folder)
        if sides is None:
            continue
        inside = images_in(sides[0])
        if len(inside) != 1 or inside[0].stem in by_image:
            return None
        images += inside
        by_image[inside[0].stem] = {path.stem: path for path in images_in(sides[1])}
    if len(images) < 2:
        return None
    files = [path for by_word in by_image.values() for path in by_word.values()]
    by_image = {name: words for name, words in by_image.items() if words}
    layers = _layers_of_one_word(by_image) or _layers_of(by_image, files)
    place = Place(FLAT, root, root, root)
    folders = tuple(path.parent for path in images)
    return Source(place, tuple(images), folders, layers) if layers.files else None


def find_layers(masks: Path, images: list[str], files: list[Path]) -> Layers:
    """The layers of each image, by its name; nothing where masks are written otherwise.

    Known are `masks/CLASS/NAME.png` of two classes or more, `masks/NAME/CLASS.png` and
    `masks/NAME_CLASS.png` (or with a dash or two underscores; also in folders without meaning, as
    CelebAMask-HQ has them), the last two with at least two files for some image and no mask called
    as its image.
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
    if not match.images and sum(map(len, by_image.values())) == len(files):
        return _layers_of_one_word(by_image) or _layers_of(by_image, files)
    return _layers_of(by_image, files)


def _layers_of(by_image: Mapping[str, Mapping[str, Path]], files: Sequence[Path]) -> Layers:
    if not any(len(by_word) > 1 for by_word in by_image.values()):
        return Layers()
    used = {path for by_word in by_image.values() for path in by_word.values()}
    unpaired = tuple(path for path in files if path not in used)
    return Layers(by_image, find_layer_classes(by_image), unpaired)


def _files_by_image(lookup: NameLookup, files: Sequence[Path]) -> dict[str, dict[str, Path]]:
    """`NAME_CLASS.png`: the longest name of an image that a file's name begins with."""
    by_image: dict[str, dict[str, Path]] = {}
    for path in files:
        stem = path.stem
        ends = [end for end, letter in enumerate(stem) if letter in "_-"]
        for end in reversed(ends):
            name = lookup.find_number(stem[:end])
            if name is not None:
                by_image.setdefault(name, {})[stem[end:].lstrip("_-")] = path
                break
    return by_image


def _find_in_folders(masks: Path, lookup: NameLookup) -> Layers:
    """`GROUP/NAME_CLASS.png`, `NAME/CLASS.png` where a folder is called as an image, else
    `CLASS/NAME.png`.
    """
    folders = [path for path in list_subfolders(masks) if not path.is_symlink()]
    files = {folder: images_in(folder) for folder in folders}
    listed = [path for folder in folders for path in files[folder]]
    in_groups = _files_by_image(lookup, listed)
    if len(files) > 1 and _are_groups(in_groups, listed):
        return _layers_of_one_word(in_groups) or _layers_of(in_groups, listed)
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


def _layers_of_one_word(by_image: Mapping[str, Mapping[str, Path]]) -> Layers | None:
    """The layers of images that have one each, all of one word that is a class."""
    word = _single_word(by_image)
    if not word or not _are_two_valued(by_image):
        return None
    return Layers(by_image, LayerClasses(_name_alone({word})))


def _single_word(by_image: Mapping[str, Mapping[str, Path]]) -> str:
    """The word of all layers where it is one and says a class."""
    words = {word for by_word in by_image.values() for word in by_word}
    return words.pop() if len(words) == 1 and all(map(class_of_word, words)) else ""


def _are_groups(by_image: Mapping[str, Mapping[str, Path]], listed: Sequence[Path]) -> bool:
    """Whether folders only keep the files apart: all files are an image's name and a class, and
    those of an image lie in one folder.
    """
    if sum(map(len, by_image.values())) < len(listed):
        return False
    classes = find_layer_classes(by_image)
    if (classes.one_class and not _single_word(by_image)) or classes.problem:
        return False
    return all(len({path.parent for path in words.values()}) == 1 for words in by_image.values())


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
