"""LabelMe: a JSON file of shapes beside each image.

Source: labelme, its file format (version, shapes, imagePath, imageHeight, imageWidth).
"""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_dataset,
    find_split_folders,
    load_json,
    name_file_in_errors,
    pack_record,
    to_points,
)
from pixelwise.datasets.annotations.polygons import Points, join_holes
from pixelwise.datasets.annotations.rasterize import ClassMapping, Shape, find_regions, map_classes
from pixelwise.datasets.class_files import read_class_file
from pixelwise.datasets.pairing import pair_up
from pixelwise.datasets.types import DataOptions, DataSet, images_in
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, open_image, oriented_size

LAYOUT = (
    "x.jpg beside x.json of LabelMe, in one folder or in train/, val/, test/; labels.txt may "
    "list the classes"
)
_CLASS_FILES = ("labels.txt", "classes.txt", "classes.json", "classes.csv")


def matches(root: Path) -> bool:
    """Whether the first JSON file of some folder holds shapes of LabelMe."""
    return bool(_folders(root))


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a LabelMe set. Without a list of classes, they are the labels found, by name.

    Raises DataError for malformed files (with the place), labels that are not listed, and what
    `pair_up` refuses.
    """
    folders = _folders(root)
    if not folders:
        raise DataError(f"{root}: no LabelMe files; it needs {LAYOUT}")
    splits = {}
    notes = ["x.json beside x.jpg"]
    records = dict[Path, bytes]()
    labels = set[str]()
    for split, folder in folders.items():
        pairs, pair_notes = pair_up(
            images_in(folder), sorted(folder.glob("*.json")), options, where=folder
        )
        notes += pair_notes
        splits[split] = [pair.image for pair in pairs]
        for pair in pairs:
            record = load_json(pair.mask)
            with name_file_in_errors(pair.mask):
                record.pop("imageData", None)  # the image once more, in base64
                labels |= {str(shape["label"]) for shape in record["shapes"]}
            records[pair.image] = pack_record(record)
    sources = [path for folder in folders.values() for path in sorted(folder.glob("*.json"))]
    reader = AnnotationReader(records, parse_annotation, _map_labels(root, labels))
    return build_dataset(
        "labelme", root, reader, splits, options=options, sources=sources, notes=notes
    )


def _map_labels(root: Path, labels: set[str]) -> ClassMapping:
    """Of the file of classes, where there is one, else of the labels by name."""
    source = next((root / name for name in _CLASS_FILES if (root / name).is_file()), None)
    if source is None:
        return map_classes([(name, None) for name in sorted(labels)], root)
    names = [(entry.name, entry.colour) for entry in read_class_file(source)]
    unlisted = sorted(labels - {name for name, _ in names})
    if unlisted:
        raise DataError(
            f"{source}: lacks '{unlisted[0]}', which shapes are called; add it or rename the shapes"
        )
    return map_classes(names, source)


def _folders(root: Path) -> dict[str, Path]:
    folders = find_split_folders(root)
    return {split: folder for split, folder in folders.items() if _has_shapes(folder)}


def _has_shapes(folder: Path) -> bool:
    path = next(iter(sorted(folder.glob("*.json"))), None)
    if path is None or not images_in(folder):
        return False
    text = path.read_bytes()
    return b'"shapes"' in text and b'"imagePath"' in text


def parse_annotation(record: Any, image: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and shapes of a LabelMe file; points and lines have no area, and so no ring."""
    height = record.get("imageHeight")
    width = record.get("imageWidth")
    size = (int(height), int(width)) if height and width else oriented_size(image)
    shapes = [_parse_shape(shape, labels[str(shape["label"])]) for shape in record["shapes"]]
    return ImageAnnotation(size, shapes)


def _parse_shape(shape: Any, label: int) -> Shape:
    kind = shape.get("shape_type") or "polygon"
    corners = to_points(shape["points"])
    if kind == "mask":
        return _parse_mask(shape, corners, label)
    if kind == "rectangle" and len(corners) == 2:
        return Shape(label, [box_ring(*corners.ravel())])
    if kind == "circle":  # its middle and a point on it
        x, y = corners[0]
        radius = float(np.hypot(*(corners[1] - corners[0])))
        return Shape(label, [ellipse_ring(x, y, radius, radius)])
    has_area = kind in ("polygon", "rectangle", "oriented_rectangle")
    return Shape(label, [corners] if has_area else [])


def _parse_mask(shape: Any, corners: Points, label: int) -> Shape:
    bits = np.asarray(open_image(base64.b64decode(shape["mask"])).convert("L")) > 0
    (left, top), (right, bottom) = corners.round().astype(int).tolist()
    if bits.shape != (bottom - top + 1, right - left + 1):
        box = f"({left}, {top}) to ({right}, {bottom})"
        raise DataError(
            f"a mask of {bits.shape[0]} x {bits.shape[1]} pixels does not fit its box {box}"
        )
    return Shape(label, bits=(top, left, bits))


def box_ring(left: float, top: float, right: float, bottom: float) -> Points:
    """The corners of a box (4, 2)."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def ellipse_ring(x: float, y: float, x_radius: float, y_radius: float) -> Points:
    """An ellipse of these half axes as a polygon that leaves it by at most 0.01 pixels."""
    # a chord of angle a leaves a circle of radius r by r (1 - cos(a / 2)), about r a^2 / 8
    corners = max(16, int(np.ceil(np.pi * np.sqrt(max(x_radius, y_radius) / 0.02))))
    angles = np.arange(corners) * 2 * np.pi / corners
    return np.stack([x + x_radius * np.cos(angles), y + y_radius * np.sin(angles)], axis=1)


def write(path: Path, image: Path, labels: Array, classes: Classes) -> None:
    """Write labels (H, W) of `image` as a LabelMe file of polygons, one a region; holes are joined
    to the outline.

    Background, or void where there is none, is what no polygon covers. Read back, the labels are
    the same.
    """
    shapes = [
        {
            "label": name,
            "points": join_holes(rings).tolist(),
            "group_id": None,
            "shape_type": "polygon",
            "flags": {},
        }
        for name, _, rings in find_regions(labels, classes)
    ]
    record = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": Path(os.path.relpath(image, path.parent)).as_posix(),
        "imageData": None,
        "imageHeight": labels.shape[0],
        "imageWidth": labels.shape[1],
    }
    write_text(path, json.dumps(record) + "\n")
