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
    Figure,
    RecordReader,
    dataset,
    load_json,
    missing,
    packed,
    points,
    reading,
)
from pixelwise.datasets.annotations.labelme import box_ring
from pixelwise.datasets.annotations.polygons import pixels
from pixelwise.datasets.annotations.rasterize import Shape, declared, legend, regions
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
    with reading(meta):
        names = [
            (one["title"], _colour(one["color"]) if one.get("color") else None)
            for one in content["classes"]
        ]
    lines = legend(names, meta)
    records = dict[Path, bytes]()
    splits = dict[str, list[Path]]()
    lacking = []
    sources = [meta, *sorted(root.glob("*/ann/*.json"))]
    for path in sources[1:]:
        image = path.parent.parent / "img" / path.name.removesuffix(".json")
        record = load_json(path)
        with reading(path):
            unknown = next(
                (one for one in record["objects"] if one["classTitle"] not in lines.labels), None
            )
        if unknown:
            raise DataError(
                f"{path}: class '{unknown['classTitle']}' is not in meta.json; add it there"
            )
        if not image.is_file():
            lacking.append(image.name)
            continue
        records[image] = packed(record)
        splits.setdefault(SPLITS.get(path.parent.parent.name.lower(), "train"), []).append(image)
    notes = ["meta.json, img/ and ann/", *missing(lacking, len(sources) - 1, root / "ann", options)]
    reader = RecordReader(records, figure, lines)
    return dataset(
        "supervisely", root, reader, splits, options=options, sources=sources, notes=notes
    )


def _colour(text: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(text.lstrip("#"))
    return red, green, blue


def figure(record: Any, _: Path, labels: Mapping[str, int]) -> Figure:
    """Size and shapes of an image; lines and points have no area, and so no ring."""
    size = int(record["size"]["height"]), int(record["size"]["width"])
    return size, [_shape(one, labels[one["classTitle"]]) for one in record["objects"]]


def _shape(one: Any, label: int) -> Shape:
    kind = one.get("geometryType") or ("bitmap" if one.get("bitmap") else "polygon")
    if kind == "bitmap":
        left, top = (int(value) for value in one["bitmap"]["origin"])
        try:
            picture = open_image(zlib.decompress(base64.b64decode(one["bitmap"]["data"])))
        except zlib.error as error:
            raise DataError(
                f"a bitmap that cannot be unpacked ({error}); export it again"
            ) from error
        last = (
            picture.convert("RGBA").getchannel("A")
            if "A" in picture.getbands()
            else picture.convert("L")
        )
        return Shape(label, bits=(top, left, np.asarray(last) > 0))
    if kind == "rectangle":
        return Shape(label, [box_ring(*points(one["points"]["exterior"]).ravel())])
    if kind == "polygon":
        rings = [one["points"]["exterior"], *one["points"].get("interior", [])]
        return Shape(label, [points(ring) for ring in rings])
    return Shape(label)


def write(path: Path, labels: Array, classes: Classes) -> None:
    """Write labels (H, W) as an annotation file of bitmaps, one a region."""
    objects: list[dict[str, object]] = []
    for name, _, rings in regions(labels, classes):
        top, left, bits = pixels(rings, labels.shape)
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
        for name, colour, _ in declared(classes, void=void)
    ]
    write_text(path, json.dumps({"classes": rows, "tags": [], "projectType": "images"}) + "\n")
