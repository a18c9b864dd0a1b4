"""CVAT for images 1.1: one XML file with polygons, boxes, ellipses and masks of all images.

Source: CVAT's manual, XML annotation format. Entities and document types are never expanded
(defusedxml).
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from pixelwise.classes import VOID, Classes, Colour
from pixelwise.datasets.annotations import rle
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_dataset,
    name_file_in_errors,
    note_missing_images,
    pack_record,
    to_points,
)
from pixelwise.datasets.annotations.polygons import Points, box_ring, ellipse_ring, fill_region
from pixelwise.datasets.annotations.rasterize import (
    Shape,
    classes_to_declare,
    find_regions,
    map_classes,
)
from pixelwise.datasets.splits import SPLITS
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array

LAYOUT = "annotations.xml of CVAT for images 1.1 beside images/ or the images"
_SHAPES = frozenset(
    {"polygon", "box", "ellipse", "mask", "polyline", "points", "cuboid", "skeleton"}
)


def matches(root: Path) -> bool:
    """Whether an XML file of CVAT lies at `root`."""
    return _source(root) is not None


def _source(root: Path) -> Path | None:
    for path in sorted(root.glob("*.xml")):
        with path.open("rb") as file:
            if b"<annotations>" in file.read(4096):
                return path
    return None


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a CVAT set; an image's subset is its split. Classes are those of the task, in its order.

    Raises DataError for malformed or unsafe XML (with the place), a video's tracks, and images that
    are not there.
    """
    source = _source(root)
    if source is None:
        raise DataError(f"{root}: no CVAT annotations; it needs {LAYOUT}")
    with name_file_in_errors(source):
        names, images = _parse_file(source)
    mapping = map_classes(names or _used_names(images), source)
    records: dict[Path, bytes] = {}
    splits: dict[str, list[Path]] = {}
    missing = []
    for image in images:
        name = image["name"]
        folders = _image_folders(root, image)
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is None:
            missing.append(name)
            continue
        if path in records:
            raise DataError(f"{source}: '{name}' stands there twice; keep one of them")
        records[path] = pack_record(image)
        splits.setdefault(_split_of(image), []).append(path)
    notes = [f"images and shapes of {source.name}"]
    notes += note_missing_images(missing, len(images), source, options)
    reader = AnnotationReader(records, parse_annotation, mapping)
    return build_dataset(
        "cvat", root, reader, splits, options=options, sources=[source], notes=notes
    )


def _image_folders(root: Path, image: Mapping[str, str]) -> list[Path]:
    return [root / "images" / image["subset"], root / "images", root / image["subset"], root]


def _split_of(image: Mapping[str, str]) -> str:
    """By the image's subset, else by its first folder; train where neither is named as a split."""
    folder = Path(image["name"]).parts[0].lower()
    return SPLITS.get(image["subset"].lower(), SPLITS.get(folder, "train"))


def _used_names(images: Iterable[Mapping[str, Any]]) -> list[tuple[str, Colour | None]]:
    names = {shape["label"] for image in images for shape in image["shapes"]}
    return [(name, None) for name in sorted(names)]


def _parse_file(source: Path) -> tuple[list[tuple[str, Colour | None]], list[dict[str, Any]]]:
    """Names with colours, and a record of each image, without holding the tree."""
    names: list[tuple[str, Colour | None]] = []
    images: list[dict[str, Any]] = []
    try:
        for _, element in iterparse(source, forbid_dtd=True):
            if element.tag == "track":
                raise DataError(
                    f"{source}: holds the tracks of a video; export it as 'CVAT for images 1.1'"
                )
            # labels with a parent are points of skeletons
            if element.tag == "label" and element.find("parent") is None:
                colour = _parse_colour(element.findtext("color"))
                names.append((element.findtext("name") or "", colour))
            if element.tag == "image":
                images.append(_image_record(element))
                element.clear()
    except ET.ParseError as error:
        line, column = error.position
        what = str(error).split(":")[0]
        raise DataError(
            f"{source}: malformed XML at line {line}, column {column + 1}: {what}; export it again"
        ) from error
    except DefusedXmlException as error:
        raise DataError(
            f"{source}: declares a document type or entities, which are never expanded; "
            "export it again"
        ) from error
    return names, images


def _image_record(element: ET.Element) -> dict[str, Any]:
    shapes = [dict(child.attrib) | {"kind": child.tag} for child in element if child.tag in _SHAPES]
    name = element.attrib["name"]  # an error where there is none
    return {"subset": "", **element.attrib, "name": name, "shapes": shapes}


def _parse_colour(text: str | None) -> Colour | None:
    if not text:
        return None
    red, green, blue = bytes.fromhex(text.lstrip("#"))
    return red, green, blue


def parse_annotation(record: Any, _: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and shapes of an image; polylines, points and cuboids have no area, and so no ring."""
    size = (int(record["height"]), int(record["width"]))
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


def write_subsets(path: Path, items: Iterable[tuple[Path, Array, str]], classes: Classes) -> None:
    """As `write`, with the name of each image's subset, which may be empty."""
    images = []
    void = False
    for number, (image, labels, subset) in enumerate(items):
        height, width = labels.shape
        entry = ET.Element(
            "image", id=str(number), name=image.name, width=str(width), height=str(height)
        )
        if subset:
            entry.set("subset", subset)
        for name, label, rings in find_regions(labels, classes):
            void |= label == VOID
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


def _mask_element(name: str, rings: list[Points], size: tuple[int, ...]) -> ET.Element:
    top, left, bits = fill_region(rings, size)
    height, width = bits.shape
    counts = ", ".join(map(str, rle.encode(bits, by_column=False)))
    attributes = {"label": name, "source": "manual", "occluded": "0", "rle": counts, "z_order": "0"}
    box = {"left": left, "top": top, "width": width, "height": height}
    return ET.Element("mask", attributes | {key: str(value) for key, value in box.items()})
