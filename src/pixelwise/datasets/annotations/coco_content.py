"""What a file of COCO says: its categories, and a record of what is drawn on each image.

Source: Lin et al., Microsoft COCO, 2014, and its data format.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.classes import Colour
from pixelwise.datasets.annotations.coco_files import (
    CAPTIONS,
    CocoFile,
    kind_of,
)
from pixelwise.datasets.annotations.image_annotations import (
    list_sizeless,
    name_file_in_errors,
    pack_record,
    parse_side,
)
from pixelwise.datasets.annotations.match_images import NamedImage
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.types import first
from pixelwise.errors import DataError

Id = int | str
_HEX_COLOUR = re.compile(r"#?([0-9a-fA-F]{6})")


@dataclass(frozen=True)
class Category:
    """A category of COCO."""

    id: Id
    name: str
    parent: str
    """Its supercategory."""

    colour: Colour | None


@dataclass
class CocoContent:
    """What a file says; `used` are the ids of categories that annotations have."""

    path: Path
    categories: tuple[Category, ...]
    images: list[NamedImage]
    used: set[Id]
    issues: list[Issue] = field(default_factory=list)
    panoptic: bool = False
    """Whether its masks are PNGs of segments."""


@dataclass(frozen=True)
class CocoHeader:
    """What files of all kinds list: categories by id, file names and (height, width) of images by
    id, and issues.
    """

    categories: dict[Id, Category]
    names: dict[Id, list[str]]
    sizes: dict[Id, tuple[int | None, int | None]]
    issues: list[Issue]


def read_header(file: CocoFile) -> CocoHeader:
    """The categories and images of a file. Raises what reading one that is not as COCO raises."""
    categories, issues = _read_categories(file.content["categories"], file.path)
    names, name_issues = _read_names(file.content["images"], file.path)
    sizes = {
        parse_id(image["id"]): (parse_side(image.get("height")), parse_side(image.get("width")))
        for image in file.content["images"]
    }
    return CocoHeader(categories, names, sizes, [*issues, *name_issues])


def read_content(file: CocoFile, folders: tuple[Path, ...]) -> CocoContent:
    """Read an annotation file whose images are looked for in `folders` first.

    Raises DataError for a file that is not laid out as COCO, and one of another kind.
    """
    path = file.path
    with name_file_in_errors(path):
        _check_kind(file)
        header = read_header(file)
        names = header.names
        sizes = header.sizes
        _check_pixels(file.content["annotations"], path)
        shapes = _read_shapes(file.content["annotations"], names, header.categories, path)
    sizeless = [names[number][0] for number, size in sizes.items() if None in size]
    issues = [*header.issues, *shapes.issues, *list_sizeless(sizeless, path)]
    blank = [names[number][0] for number, rows in shapes.by_image.items() if not rows]
    if blank and shapes.used:
        text = f"{len(blank)} of {len(names)} images: {first(blank)}"
        issues.append(Issue("image-unlabelled", path, text, count=len(blank)))
    images = [
        NamedImage(
            name, path, pack_record([*sizes[number], shapes.by_image[number]]), file.split, folders
        )
        for number, entries in names.items()
        for name in entries
    ]
    return CocoContent(path, tuple(header.categories.values()), images, shapes.used, issues)


def parse_id(value: Any) -> Id:
    """An id as some tools write it: 3, "3" and 3.0 are the same."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | str) else str(value)


def _check_kind(file: CocoFile) -> None:
    if kind_of(file.content) == CAPTIONS:
        raise DataError.of_file(
            file.path,
            "holds captions",
            "put the file of instances or of stuff (polygons or RLE in segmentation) in its place",
        )


def _check_pixels(annotations: Iterable[Any], path: Path) -> None:
    """Refuse a file whose polygons all lie in the first pixel: their coordinates are no pixels."""
    coordinates = (
        value
        for annotation in annotations
        if isinstance(annotation.get("segmentation"), list)
        for value in _list_numbers(annotation["segmentation"])
    )
    leading = next(coordinates, None)
    # The first coordinate of a usual file ends this.
    if leading is not None and leading <= 1 and all(value <= 1 for value in coordinates):
        raise DataError.of_file(
            path,
            "all coordinates of its polygons are from 0 to 1, parts of width and height",
            "give them in pixels, as COCO has them",
        )


def _list_numbers(value: Any) -> Iterator[float]:
    """The numbers in lists of lists."""
    if isinstance(value, list):
        for part in value:
            yield from _list_numbers(part)
    elif isinstance(value, int | float):
        yield value


def _read_categories(rows: Iterable[Any], path: Path) -> tuple[dict[Id, Category], list[Issue]]:
    """By id, in the order of the ids: numbers, then texts."""
    by_id: dict[Id, Category] = {}
    issues = []
    for row in rows:
        category = Category(
            parse_id(row["id"]),
            str(row["name"]),
            str(row.get("supercategory") or ""),
            _parse_colour(row.get("color")),
        )
        used = by_id.setdefault(category.id, category)
        if used.name != category.name:
            text = f"category {category.id} is both '{used.name}' and '{category.name}'"
            refusal = f"{path}: {text}; keep one of them"
            issues.append(Issue("classes-contradict", path, text, refusal=refusal))
    ids = sorted(by_id, key=lambda number: (isinstance(number, str), number))
    return {number: by_id[number] for number in ids}, issues


def _parse_colour(value: Any) -> Colour | None:
    """Of three numbers or of #rrggbb; others are no colour."""
    match = _HEX_COLOUR.fullmatch(value) if isinstance(value, str) else None
    channels = bytes.fromhex(match[1]) if match else value
    if isinstance(channels, str) or not isinstance(channels, Sequence) or len(channels) != 3:
        return None
    red, green, blue = (int(channel) for channel in channels)
    return red, green, blue


def _read_names(rows: Iterable[Any], path: Path) -> tuple[dict[Id, list[str]], list[Issue]]:
    """File names by image id: one each, or several that contradict each other."""
    names: dict[Id, list[str]] = defaultdict(list)
    repeated = []
    issues = []
    for row in rows:
        number = parse_id(row["id"])
        name = str(row["file_name"])
        others = names[number]
        if name in others:
            repeated.append(name)
            continue
        others.append(name)
        if len(others) > 1:
            text = f"image id {number} is both '{others[0]}' and '{name}'"
            refusal = f"{path}: {text}; give each image an id of its own"
            issues.append(Issue("annotations-twice", path, text, refusal=refusal))
    if repeated:
        text = f"{len(repeated)} stand there twice with one id: {first(repeated)}"
        issues.append(
            Issue("annotations-twice", path, text, count=len(repeated), severity="warning")
        )
    return names, issues


@dataclass
class _Shapes:
    """By image id (name of the category, segmentation, 1 for a crowd), and what is wrong with the
    rest.
    """

    by_image: dict[Id, list[list[Any]]]
    used: set[Id] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)


def _read_shapes(
    annotations: Sequence[Any],
    images: Mapping[Id, object],
    categories: Mapping[Id, Category],
    path: Path,
) -> _Shapes:
    """Annotations without image or category are issues that training refuses; those without an
    area are counted and left out.
    """
    shapes = _Shapes({number: [] for number in images})
    unlisted: dict[tuple[str, Any], list[Any]] = defaultdict(list)
    boxes = 0
    slivers = 0
    drawn = 0
    for annotation in annotations:
        image = parse_id(annotation["image_id"])
        category = parse_id(annotation.get("category_id"))
        if image not in images:
            unlisted["image", annotation["image_id"]].append(annotation.get("id"))
        elif category not in categories:
            unlisted["category", annotation.get("category_id")].append(annotation.get("id"))
        else:
            shapes.used.add(category)
            segmentation = annotation.get("segmentation")
            rings = _drop_slivers(segmentation)
            boxes += not segmentation
            slivers += bool(segmentation) and not rings
            drawn += bool(rings)
            if rings:
                crowd = [1] if annotation.get("iscrowd") else []
                shapes.by_image[image].append([categories[category].name, rings, *crowd])
    shapes.issues += list_unlisted_annotations(unlisted, path)
    shapes.issues += _list_without_area(boxes, slivers, drawn, path)
    return shapes


def _drop_slivers(segmentation: Any) -> Any:
    """A segmentation without polygons of fewer than three corners."""
    if not isinstance(segmentation, list):
        return segmentation
    if segmentation and isinstance(segmentation[0], int | float):
        segmentation = [segmentation]  # one polygon without the list around it
    return [ring for ring in segmentation if not _is_sliver(ring)]


def _is_sliver(ring: Any) -> bool:
    if not isinstance(ring, list) or len(ring) > 4:
        return False
    in_pairs = any(isinstance(point, list) for point in ring)
    # An odd number of coordinates is a fault of its own.
    return len(ring) < 3 if in_pairs else len(ring) in (0, 2, 4)


def list_unlisted_annotations(
    unlisted: Mapping[tuple[str, Any], Sequence[Any]], path: Path
) -> Iterable[Issue]:
    """Annotations of an image or of a category that is not listed, by (what, its id)."""
    for (what, number), annotations in unlisted.items():
        more = f" and {len(annotations) - 1} more are" if len(annotations) > 1 else " is"
        text = f"annotation {annotations[0]}{more} of {what} {number}, which is not listed"
        type = "annotation-without-image" if what == "image" else "class-unlisted"
        refusal = f"{path}: {text}; list it, or remove them"
        yield Issue(type, path, text, count=len(annotations), refusal=refusal)


def _list_without_area(boxes: int, slivers: int, drawn: int, path: Path) -> Iterable[Issue]:
    if boxes and not drawn:
        text = f"all {boxes} annotations have a box alone, which is no mask"
        refusal = f"{path}: {text}; export polygons or masks"
        yield Issue("box-left-out", path, text, count=boxes, refusal=refusal, severity="error")
    elif boxes:
        text = f"{boxes} annotations have a box alone"
        yield Issue("box-left-out", path, text, count=boxes)
    if slivers:
        text = f"{slivers} polygons have fewer than three corners"
        yield Issue("shape-left-out", path, text, count=slivers)
