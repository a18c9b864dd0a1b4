"""Which JSON files of a folder are of LabelMe, and which image each is of."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

from pixelwise.datasets.annotations.find_images import ImageFinder
from pixelwise.datasets.annotations.image_annotations import load_json
from pixelwise.datasets.annotations.label_names import CLASS_FILES
from pixelwise.datasets.annotations.match_images import by_name_issue
from pixelwise.datasets.annotations.picture_files import list_folders, list_pictures, name_key
from pixelwise.datasets.issues import Issue
from pixelwise.errors import DataError
from pixelwise.io.text import list_files, read_head

# Folders beneath the top in which annotations are looked for: train/labels/, but not deeper.
_DEPTH = 2
_SHAPES = '"shapes"'
# In files of early versions the picture itself may stand before the shapes.
_EMBEDDED = '"imageData"'


def list_json(root: Path) -> Iterator[Path]:
    """The JSON files that may be annotations, folder by folder."""
    for folder in list_folders(root, _DEPTH):
        for path in list_files(folder, (".json",)):
            if path.name not in CLASS_FILES:
                yield path


def holds_shapes(path: Path) -> bool:
    """Whether a JSON file looks like one of LabelMe by its contents."""
    text = read_head(path).lstrip()
    if not text.startswith("{"):
        return False
    if _SHAPES not in text and _EMBEDDED in text:
        text = read_head(path, path.stat().st_size)
    return _SHAPES in text


@dataclass
class Annotation:
    """A file of LabelMe: its contents, or the reason why it cannot be read."""

    path: Path
    record: dict[str, Any]
    fault: str = ""
    position: tuple[int, int] | None = None


def read_annotation(path: Path) -> Annotation | None:
    """The contents of a JSON file; None for one that is not of LabelMe."""
    try:
        record = load_json(path)
    except DataError as error:
        if holds_shapes(path):
            return Annotation(path, {}, error.reason, _json_position(error))
        return None
    if not isinstance(record, dict) or "shapes" not in record:
        return None
    record.pop("imageData", None)  # the image once more, in base64
    record["shapes"] = record["shapes"] or []
    return Annotation(path, record)


def _json_position(error: DataError) -> tuple[int, int] | None:
    cause = error.__cause__
    return (cause.lineno, cause.colno) if isinstance(cause, json.JSONDecodeError) else None


@dataclass
class ImageMatcher:
    """Finds the image of each annotation file, and issues on the way."""

    root: Path
    issues: list[Issue] = field(default_factory=list)

    @cached_property
    def finder(self) -> ImageFinder:
        """What finds images by the names in annotations."""
        return ImageFinder(self.root, ())

    @cached_property
    def pictures(self) -> dict[str, list[Path]]:
        """All pictures of the set by stem."""
        by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in list_pictures(self.root):
            by_stem[name_key(path.stem)].append(path)
        return by_stem

    def find(self, annotation: Annotation) -> Path | None:
        """The image beside an annotation file and called as that; else the one it names; else the
        only one of its name.
        """
        path = annotation.path
        name = str(annotation.record.get("imagePath") or "")
        base = PureWindowsPath(name).name  # takes / and \ alike
        alike = self.pictures.get(name_key(path.stem), [])
        beside = [image for image in alike if image.parent == path.parent]
        if beside:
            return self._choose(beside, base, path)
        image = self.finder.find(name, (path.parent,)) if name else None
        if image is None and len(alike) == 1:
            image = alike[0]
            self._compare_name(base, path, image)
        return image

    def _choose(self, beside: list[Path], base: str, path: Path) -> Path:
        """Of the images called as an annotation file the one it names, else the first."""
        for image in beside:
            if image.name == base:
                return image
        if len(beside) > 1:
            text = f"{beside[0].name} is called so as well, and {path.name} names neither"
            refusal = (
                f"{path.parent}: two images, {beside[0].name} and {beside[1].name}, of "
                f"{path.name}; remove or rename one"
            )
            self.issues.append(Issue("image-name-twice", beside[1], text, refusal=refusal))
        if (path.parent / base).is_file():
            self._compare_name(base, path, beside[0])
        return beside[0]

    def _compare_name(self, base: str, path: Path, image: Path) -> None:
        """An issue where an annotation file names an image that is called otherwise."""
        stem = PureWindowsPath(base).stem
        if base and name_key(stem) != name_key(path.stem):
            text = f"names {base}, but is read as that of {image.name}"
            self.issues.append(Issue("image-path-differs", path, text))

    def list_by_name(self) -> list[Issue]:
        """An issue for images whose folder is not where their annotations have it."""
        names = self.finder.by_name_alone
        return [by_name_issue(names, self.root)] if names else []
