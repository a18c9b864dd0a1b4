"""CVAT for images 1.1: one XML file with polygons, boxes, ellipses and masks of all images.

Source: CVAT's manual, XML annotation format. Entities and document types are never expanded
(defusedxml).
"""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from pixelwise.classes import VOID, Classes, Colour
from pixelwise.datasets.annotations import rle
from pixelwise.datasets.annotations.find_images import ImageFinder, split_name
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_index,
    list_annotation_folders,
    list_sizeless,
    list_unusable_file,
    name_file_in_errors,
    pack_record,
    parse_side,
    size_of,
    to_points,
)
from pixelwise.datasets.annotations.match_images import (
    NamedImage,
    match_images,
    split_of_folders,
)
from pixelwise.datasets.annotations.polygons import Points, box_ring, ellipse_ring, fill_region
from pixelwise.datasets.annotations.rasterize import (
    BY_LAYER,
    Shape,
    classes_to_declare,
    map_classes,
)
from pixelwise.datasets.annotations.thin_outlines import find_polygons
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue, describe_tolerated, printable_path
from pixelwise.datasets.types import DataOptions, first
from pixelwise.errors import DataError
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array
from pixelwise.io.text import list_files, read_head

LAYOUT = "annotations.xml of CVAT for images 1.1 beside images/ or the images"
_ROOT_ELEMENT = re.compile(r"<annotations[\s>]")
_SHAPES = frozenset(
    {"polygon", "box", "ellipse", "mask", "polyline", "points", "cuboid", "skeleton"}
)


@dataclass
class _CvatFile:
    """What a file says: names of classes with their colours, and a record of each image."""

    path: Path
    names: dict[str, Colour | None] = field(default_factory=dict)
    images: list[dict[str, Any]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def matches(root: Path) -> bool:
    """Whether an XML file of CVAT lies at `root`, in annotations/ or in folders of splits."""
    return bool(_find_files(root))


def _find_files(root: Path) -> list[Path]:
    folders = list_annotation_folders(root)
    files = [path for folder in folders for path in list_files(folder, (".xml",))]
    return [path for path in files if _ROOT_ELEMENT.search(read_head(path))]


def index(root: Path, options: DataOptions) -> Index:
    """The images of a CVAT set; an image's subset is its split. Classes are those of the task, in
    its order, or else the labels of the shapes by name. Raises DataError where there is no image.

    Issues are malformed or unsafe XML (with the place), a video's tracks, shapes of unknown
    labels, and those of `match_images`.
    """
    sources = _find_files(root)
    if not sources:
        raise DataError(f"{root}: no CVAT annotations; it needs {LAYOUT}")
    issues: list[Issue] = []
    files = []
    for source in sources:
        try:
            with name_file_in_errors(source):
                files.append(_read_file(source))
        except DataError as error:
            issues.append(list_unusable_file(source, error))
    names = next((file.names for file in files if file.names), None)
    order = "the task's order" if names else "the order of their names"
    names = names or _used_names(files)
    mapping = map_classes(names.items(), sources[0])
    for file in files:
        sizeless = [image["name"] for image in file.images if not _has_size(image)]
        issues += [*file.issues, *_list_unknown_labels(file, names)]
        issues += list_sizeless(sizeless, file.path)
    images = [_name_image(root, file.path, record) for file in files for record in file.images]
    matched = match_images(images, ImageFinder(root, (root / "images", root)), options)
    issues += matched.issues
    texts = ", ".join(printable_path(path, root) for path in sources)
    lines = (f"images and shapes of {texts}; classes in {order}", *describe_tolerated(issues))
    reader = AnnotationReader(matched.records, parse_annotation, mapping, overlap_note=BY_LAYER)
    return build_index(
        "cvat", root, reader, matched.splits, sources=sources, notes=lines, issues=issues
    )


def _has_size(image: Mapping[str, Any]) -> bool:
    return bool(parse_side(image.get("height")) and parse_side(image.get("width")))


def _name_image(root: Path, source: Path, record: dict[str, Any]) -> NamedImage:
    subset = record["subset"]
    folders = (root / "images" / subset, source.parent / "images", root / subset, source.parent)
    return NamedImage(
        record["name"], source, pack_record(record), _split_of(record, source, root), folders
    )


def _split_of(image: Mapping[str, str], source: Path, root: Path) -> str | None:
    """By the image's subset, else by the folders of its name, else by the file or its folder."""
    names = (image["subset"], *split_name(image["name"])[:-1], source.stem)
    return split_of_folders((*names, *source.relative_to(root).parts[:-1]))


def _used_names(files: Iterable[_CvatFile]) -> dict[str, Colour | None]:
    shapes = (shape for file in files for image in file.images for shape in image["shapes"])
    return dict.fromkeys(sorted({shape["label"] for shape in shapes}))


def _list_unknown_labels(file: _CvatFile, names: Mapping[str, object]) -> Iterator[Issue]:
    """Labels that the task lacks: of shapes, and of further files."""
    unlike = sorted(file.names.keys() - names.keys())
    if unlike:
        text = f"its labels are not those of the other files: {first(unlike)}"
        refusal = f"{file.path}: {text}; make them the same"
        yield Issue("classes-contradict", file.path, text, refusal=refusal)
    shapes = Counter(shape["label"] for image in file.images for shape in image["shapes"])
    for label, count in sorted(shapes.items()):
        if label not in names and label not in file.names:
            text = f"{count} shapes have the label '{label}', which the task does not list"
            refusal = f"{file.path}: {text}; add it to the labels, or remove them"
            yield Issue("class-unlisted", file.path, text, count=count, refusal=refusal)


def _read_file(source: Path) -> _CvatFile:
    """Names and images, without holding the tree."""
    file = _CvatFile(source)
    tracks = 0
    try:
        for _, element in iterparse(source, forbid_dtd=True):
            tracks += element.tag == "track"
            # labels with a parent are points of skeletons
            if element.tag == "label" and element.find("parent") is None:
                _add_name(file, element)
            if element.tag == "image":
                file.images.append(_image_record(element))
                element.clear()
    except ET.ParseError as error:
        line, column = error.position
        what = str(error).split(":")[0]
        raise DataError.of_file(
            source, f"malformed XML at line {line}, column {column + 1}: {what}", "export it again"
        ) from error
    except DefusedXmlException as error:
        raise DataError.of_file(
            source,
            "declares a document type or entities, which are never expanded",
            "export it again",
        ) from error
    if tracks:
        text = "holds the tracks of a video"
        refusal = f"{source}: {text}; export it as 'CVAT for images 1.1'"
        file.issues.append(
            Issue("annotation-malformed", source, text, count=tracks, refusal=refusal)
        )
    return file


def _add_name(file: _CvatFile, element: ET.Element) -> None:
    """Take up a label; a project lists it again for each of its tasks."""
    name = element.findtext("name") or ""
    colour = _parse_colour(element.findtext("color"))
    if file.names.setdefault(name, colour) != colour:
        raise DataError(f"{file.path}: class names that stand twice: {name}; rename one of them")


def _image_record(element: ET.Element) -> dict[str, Any]:
    shapes = [dict(child.attrib) | {"kind": child.tag} for child in element if child.tag in _SHAPES]
    name = element.attrib["name"]  # an error where there is none
    return {"subset": "", **element.attrib, "name": name, "shapes": shapes}


def _parse_colour(text: str | None) -> Colour | None:
    if not text:
        return None
    red, green, blue = bytes.fromhex(text.lstrip("#"))
    return red, green, blue


def parse_annotation(record: Any, image: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and shapes of an image; polylines, points and cuboids have no area, and so no ring."""
    size = size_of(image, parse_side(record.get("height")), parse_side(record.get("width")))
    shapes = [_parse_shape(shape, labels[shape["label"]]) for shape in record["shapes"]]
    return ImageAnnotation(size, shapes)


def _parse_shape(shape: Mapping[str, str], label: int) -> Shape:
    layer = int(shape.get("z_order", 0))
    kind = shape["kind"]
    if kind == "mask":
        counts = [int(count) for count in shape["rle"].split(",")]
        box = (int(shape["height"]), int(shape["width"]))
        bits = rle.decode(counts, box, by_column=False)
        return Shape(label, bits=(int(shape["top"]), int(shape["left"]), bits), layer=layer)
    if kind == "polygon":
        rings = [to_points([pair.split(",") for pair in shape["points"].split(";") if pair])]
    elif kind == "box":
        ring = box_ring(*(float(shape[side]) for side in ("xtl", "ytl", "xbr", "ybr")))
        rings = [_rotate(ring, float(shape.get("rotation", 0)))]
    elif kind == "ellipse":
        ring = ellipse_ring(*(float(shape[side]) for side in ("cx", "cy", "rx", "ry")))
        rings = [_rotate(ring, float(shape.get("rotation", 0)))]
    else:
        rings = []
    return Shape(label, rings, layer=layer)


def _rotate(ring: Points, degrees: float) -> Points:
    """Clockwise on the screen, about the middle."""
    middle = (ring.max(axis=0) + ring.min(axis=0)) / 2
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    rotated: Points = (ring - middle) @ matrix + middle
    return rotated


def write(path: Path, items: Iterable[tuple[Path, Array]], classes: Classes) -> None:
    """Write images and their labels (H, W) as CVAT XML of masks, one a region. Images are named by
    their files.

    Background, or void where there is none, is what no mask covers. Read back, the labels are the
    same.
    """
    write_subsets(path, ((image, labels, "") for image, labels in items), classes)


def write_subsets(
    path: Path,
    items: Iterable[tuple[Path, Array, str]],
    classes: Classes,
    *,
    tolerance: float = 0.0,
) -> None:
    """As `write`, with the name of each image's subset, which may be empty. With a `tolerance`
    regions without holes are polygons, thinned as in `find_polygons`; CVAT's have no holes.
    """
    images = []
    void = False
    for number, (image, labels, subset) in enumerate(items):
        height, width = labels.shape
        entry = ET.Element(
            "image", id=str(number), name=image.name, width=str(width), height=str(height)
        )
        if subset:
            entry.set("subset", subset)
        for name, label, rings in find_polygons(labels, classes, tolerance):
            void |= label == VOID
            if tolerance > 0 and len(rings) == 1:
                entry.append(_polygon_element(name, rings[0]))
            else:
                entry.append(_mask_element(name, rings, labels.shape))
        images.append(ET.tostring(entry, encoding="unicode"))
    label_list = ET.Element("labels")
    for name, colour, _ in classes_to_declare(classes, void=void):
        entry = ET.SubElement(label_list, "label")
        ET.SubElement(entry, "name").text = name
        ET.SubElement(entry, "color").text = f"#{bytes(colour).hex()}"
        ET.SubElement(entry, "type").text = "any"
    head = f"<meta><task>{ET.tostring(label_list, encoding='unicode')}</task></meta>"
    with atomic(path) as draft, draft.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write(f"<version>1.1</version>\n{head}\n")
        file.writelines(f"{image}\n" for image in images)
        file.write("</annotations>\n")


def _polygon_element(name: str, ring: Points) -> ET.Element:
    points = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)
    attributes = {"label": name, "source": "manual", "occluded": "0", "points": points}
    return ET.Element("polygon", attributes | {"z_order": "0"})


def _mask_element(name: str, rings: list[Points], size: tuple[int, ...]) -> ET.Element:
    top, left, bits = fill_region(rings, size)
    height, width = bits.shape
    counts = ", ".join(map(str, rle.encode(bits, by_column=False)))
    attributes = {"label": name, "source": "manual", "occluded": "0", "rle": counts, "z_order": "0"}
    box = {"left": left, "top": top, "width": width, "height": height}
    return ET.Element("mask", attributes | {key: str(value) for key, value in box.items()})
