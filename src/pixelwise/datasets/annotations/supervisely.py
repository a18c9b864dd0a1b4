"""Supervisely: meta.json, and folders with img/ and ann/, a JSON file of bitmaps, polygons and
rectangles an image.

Source: Supervisely's documentation of its annotation format.
"""

import base64
import io
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_dataset,
    load_json,
    name_file_in_errors,
    note_missing_images,
    pack_record,
    to_points,
)
from pixelwise.datasets.annotations.polygons import box_ring, fill_region
from pixelwise.datasets.annotations.rasterize import (
    Shape,
    classes_to_declare,
    find_regions,
    map_classes,
)
from pixelwise.datasets.splits import SPLITS
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, open_image

LAYOUT = "meta.json beside folders with img/x.jpg and ann/x.jpg.json (Supervisely)"


def matches(root: Path) -> bool:
    """Whether a project of Supervisely lies at `root`."""
    return (root / "meta.json").is_file() and any(root.glob("*/ann"))


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a project; its folders named as a split are that split, all others train.

    Raises DataError for malformed files (with the place), classes that meta.json lacks, and images
    that are not there.
    """
    if not matches(root):
        raise DataError(f"{root}: not a Supervisely project; it needs {LAYOUT}")
    meta = root / "meta.json"
    content = load_json(meta)
    with name_file_in_errors(meta):
        declared = [
            (entry["title"], _parse_colour(entry["color"]) if entry.get("color") else None)
            for entry in content["classes"]
        ]
    mapping = map_classes(declared, meta)
    records = dict[Path, bytes]()
    splits = dict[str, list[Path]]()
    missing = []
    files = sorted(root.glob("*/ann/*.json"))
    for path in files:
        folder = path.parent.parent
        image = folder / "img" / path.name.removesuffix(".json")
        record = load_json(path)
        with name_file_in_errors(path):
            titles = [entry["classTitle"] for entry in record["objects"]]
        unknown = next((title for title in titles if title not in mapping.labels), None)
        if unknown is not None:
            raise DataError(f"{path}: class '{unknown}' is not in meta.json; add it there")
        if not image.is_file():
            missing.append(image.name)
            continue
        records[image] = pack_record(record)
        splits.setdefault(SPLITS.get(folder.name.lower(), "train"), []).append(image)
    notes = ["meta.json, img/ and ann/"]
    notes += note_missing_images(missing, len(files), root / "ann", options)
    reader = AnnotationReader(records, parse_annotation, mapping)
    return build_dataset(
        "supervisely", root, reader, splits, options=options, sources=[meta, *files], notes=notes
    )


def _parse_colour(text: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(text.lstrip("#"))
    return red, green, blue


def parse_annotation(record: Any, _: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and shapes of an image; lines and points have no area, and so no ring."""
    size = (int(record["size"]["height"]), int(record["size"]["width"]))
    shapes = [_parse_shape(entry, labels[entry["classTitle"]]) for entry in record["objects"]]
    return ImageAnnotation(size, shapes)


def _parse_shape(entry: Any, label: int) -> Shape:
    kind = entry.get("geometryType") or ("bitmap" if entry.get("bitmap") else "polygon")
    if kind == "bitmap":
        return _parse_bitmap(entry["bitmap"], label)
    if kind == "rectangle":
        return Shape(label, [box_ring(*to_points(entry["points"]["exterior"]).ravel())])
    if kind == "polygon":
        rings = [entry["points"]["exterior"], *entry["points"].get("interior", [])]
        return Shape(label, [to_points(ring) for ring in rings])
    return Shape(label)


def _parse_bitmap(bitmap: Any, label: int) -> Shape:
    left, top = (int(value) for value in bitmap["origin"])
    try:
        image = open_image(zlib.decompress(base64.b64decode(bitmap["data"])))
    except zlib.error as error:
        raise DataError(f"a bitmap that cannot be unpacked ({error}); export it again") from error
    has_alpha = "A" in image.getbands()  # which it is drawn in, then
    drawn = image.convert("RGBA").getchannel("A") if has_alpha else image.convert("L")
    return Shape(label, bits=(top, left, np.asarray(drawn) > 0))


def write(path: Path, labels: Array, classes: Classes) -> None:
    """Write labels (H, W) as an annotation file of bitmaps, one a region."""
    objects: list[dict[str, object]] = []
    for name, _, rings in find_regions(labels, classes):
        top, left, bits = fill_region(rings, labels.shape)
        file = io.BytesIO()
        Image.fromarray(bits).save(file, format="PNG")
        data = base64.b64encode(zlib.compress(file.getvalue())).decode()
        bitmap = {"data": data, "origin": [left, top]}
        objects.append(
            {
                "id": len(objects) + 1,
                "classTitle": name,
                "geometryType": "bitmap",
                "bitmap": bitmap,
                "tags": [],
            }
        )
    size = {"height": labels.shape[0], "width": labels.shape[1]}
    write_text(
        path, json.dumps({"description": "", "tags": [], "size": size, "objects": objects}) + "\n"
    )


def write_meta(path: Path, classes: Classes, *, void: bool) -> None:
    """Write meta.json."""
    rows = [
        {"title": name, "shape": "bitmap", "color": f"#{bytes(colour).hex().upper()}"}
        for name, colour, _ in classes_to_declare(classes, void=void)
    ]
    write_text(path, json.dumps({"classes": rows, "tags": [], "projectType": "images"}) + "\n")
