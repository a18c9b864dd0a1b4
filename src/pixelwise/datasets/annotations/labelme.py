"""LabelMe: a JSON file of shapes beside each image.

Source: labelme, its file format (version, shapes, imagePath, imageHeight, imageWidth).
"""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.classes import Classes, Colour
from pixelwise.datasets.annotations.image_annotations import (
    Figure,
    RecordReader,
    dataset,
    folders_of,
    load_json,
    packed,
    points,
    reading,
)
from pixelwise.datasets.annotations.polygons import Points, keyhole
from pixelwise.datasets.annotations.rasterize import Shape, legend, regions
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
    found = set[str]()
    for split, folder in folders.items():
        pairs, said = pair_up(
            images_in(folder), sorted(folder.glob("*.json")), options, where=folder
        )
        notes += said
        splits[split] = [pair.image for pair in pairs]
        for pair in pairs:
            record = load_json(pair.mask)
            with reading(pair.mask):
                record.pop("imageData", None)
                found |= {str(shape["label"]) for shape in record["shapes"]}
            records[pair.image] = packed(record)
    source = next((root / name for name in _CLASS_FILES if (root / name).is_file()), None)
    names: Sequence[tuple[str, Colour | None]] = [(name, None) for name in sorted(found)]
    if source:
        names = [(entry.name, entry.colour) for entry in read_class_file(source)]
        unlisted = sorted(found - {name for name, _ in names})
        if unlisted:
            raise DataError(
                f"{source}: lacks '{unlisted[0]}', which shapes are called; add it or rename "
                "the shapes"
            )
    sources = [path for folder in folders.values() for path in sorted(folder.glob("*.json"))]
    reader = RecordReader(records, figure, legend(names, source or root))
    return dataset("labelme", root, reader, splits, options=options, sources=sources, notes=notes)


def _folders(root: Path) -> dict[str, Path]:
    return {split: folder for split, folder in folders_of(root).items() if _has_shapes(folder)}


def _has_shapes(folder: Path) -> bool:
    path = next(iter(sorted(folder.glob("*.json"))), None)
    if path is None or not images_in(folder):
        return False
    text = path.read_bytes()
    return b'"shapes"' in text and b'"imagePath"' in text


def figure(record: Any, image: Path, labels: Mapping[str, int]) -> Figure:
    """Size and shapes of a LabelMe file; points and lines have no area, and so no ring."""
    height = record.get("imageHeight")
    width = record.get("imageWidth")
    size = (int(height), int(width)) if height and width else oriented_size(image)
    return size, [_shape(shape, labels[str(shape["label"])]) for shape in record["shapes"]]


def _shape(shape: Any, label: int) -> Shape:
    kind = shape.get("shape_type") or "polygon"
    corners = points(shape["points"])
    if kind == "mask":
        bits = np.asarray(open_image(base64.b64decode(shape["mask"])).convert("L")) > 0
        (left, top), (right, bottom) = corners.round().astype(int).tolist()
        if bits.shape != (bottom - top + 1, right - left + 1):
            box = f"({left}, {top}) to ({right}, {bottom})"
            raise DataError(
                f"a mask of {bits.shape[0]} x {bits.shape[1]} pixels does not fit its box {box}"
            )
        return Shape(label, bits=(top, left, bits))
    if kind == "rectangle" and len(corners) == 2:
        return Shape(label, [box_ring(*corners.ravel())])
    if kind == "circle":
        return Shape(
            label, [ellipse_ring(*corners[0], *[float(np.hypot(*(corners[1] - corners[0])))] * 2)]
        )
    return Shape(label, [corners] if kind in ("polygon", "rectangle", "oriented_rectangle") else [])


def box_ring(left: float, top: float, right: float, bottom: float) -> Points:
    """The corners of a box (4, 2)."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def ellipse_ring(x: float, y: float, wide: float, high: float) -> Points:
    """An ellipse of these half axes as a polygon that leaves it by at most 0.01 pixels."""
    corners = max(16, int(np.ceil(np.pi * np.sqrt(max(wide, high) / 0.02))))
    angles = np.arange(corners) * 2 * np.pi / corners
    return np.stack([x + wide * np.cos(angles), y + high * np.sin(angles)], axis=1)


def write(path: Path, image: Path, labels: Array, classes: Classes) -> None:
    """Write labels (H, W) of `image` as a LabelMe file of polygons, one a region; holes are joined
    to the outline.

    Background, or void where there is none, is what no polygon covers. Read back, the labels are
    the same.
    """
    shapes = [
        {
            "label": name,
            "points": keyhole(rings).tolist(),
            "group_id": None,
            "shape_type": "polygon",
            "flags": {},
        }
        for name, _, rings in regions(labels, classes)
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
