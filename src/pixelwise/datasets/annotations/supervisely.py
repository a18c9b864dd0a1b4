"""Supervisely: meta.json, and folders with img/ and ann/, a JSON file of bitmaps, polygons and
rectangles an image.

Source: Supervisely's documentation of its annotation format.
"""

import base64
import io
import json
import os
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixelwise.classes import Classes, Colour
from pixelwise.datasets.annotations.find_images import ImageFinder
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_index,
    list_sizeless,
    list_unusable_file,
    load_json,
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
from pixelwise.datasets.annotations.polygons import box_ring, fill_region
from pixelwise.datasets.annotations.rasterize import (
    Shape,
    classes_to_declare,
    find_regions,
    map_classes,
)
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue, describe_tolerated
from pixelwise.datasets.types import DataOptions, first
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, open_image
from pixelwise.io.text import list_files, read_head

LAYOUT = "meta.json beside folders with img/x.jpg and ann/x.jpg.json (Supervisely)"


def matches(root: Path) -> bool:
    """Whether a project of Supervisely lies at `root`, or alone one folder deeper."""
    return _find_project(root) is not None


def _find_project(root: Path) -> Path | None:
    if _is_project(root):
        return root
    inner = [path for path in sorted(root.iterdir()) if path.is_dir() and _is_project(path)]
    return inner[0] if len(inner) == 1 else None


def _is_project(folder: Path) -> bool:
    meta = folder / "meta.json"
    return meta.is_file() and '"classes"' in read_head(meta) and bool(_find_datasets(folder))


def _find_datasets(project: Path) -> list[Path]:
    """Folders that hold ann/, at any depth: data sets may be nested."""
    datasets = []
    for folder, names, _ in os.walk(project):
        if "ann" in names:
            datasets.append(Path(folder))
        names[:] = sorted(name for name in names if name not in ("ann", "img"))
    return datasets


def index(root: Path, options: DataOptions) -> Index:
    """The images of a project; folders named as a split are that split, else images tagged as one.
    Classes are those of meta.json, in its order. Raises DataError where there is no project, or
    meta.json cannot be read.

    Issues are malformed files (with the place), classes that meta.json lacks, JSON files that are
    no annotations, and those of `match_images`.
    """
    project = _find_project(root)
    if project is None:
        raise DataError(f"{root}: not a Supervisely project; it needs {LAYOUT}")
    meta = project / "meta.json"
    mapping = map_classes(_read_classes(meta), meta)
    annotations, issues = _read_annotations(project)
    issues += _list_unknown(annotations, mapping.labels)
    sizeless = [
        _image_name(path) for path, record in annotations.items() if None in _parse_size(record)
    ]
    issues += list_sizeless(sizeless, meta)
    images = [_name_image(project, path, record) for path, record in annotations.items()]
    folders = [folder / "img" for folder in _find_datasets(project)]
    matched = match_images(images, ImageFinder(root, folders), options)
    issues += matched.issues
    notes = ["meta.json, img/ and ann/; classes in the order of meta.json"]
    return build_index(
        "supervisely",
        root,
        AnnotationReader(matched.records, parse_annotation, mapping),
        matched.splits,
        sources=[meta, *annotations],
        notes=[*notes, *describe_tolerated(issues)],
        issues=issues,
    )


def _read_classes(meta: Path) -> list[tuple[str, Colour | None]]:
    content = load_json(meta)
    with name_file_in_errors(meta):
        return [
            (entry["title"], _parse_colour(entry["color"]) if entry.get("color") else None)
            for entry in content["classes"]
        ]


def _read_annotations(project: Path) -> tuple[dict[Path, Any], list[Issue]]:
    """Records by annotation file. Other JSON files are left out where no image is called as
    they are.
    """
    records: dict[Path, Any] = {}
    issues = []
    for folder in _find_datasets(project):
        others = []
        for path in list_files(folder / "ann", (".json",)):
            try:
                records[path] = _read_annotation(path)
            except DataError as error:
                if (folder / "img" / _image_name(path)).is_file():
                    issues.append(list_unusable_file(path, error))
                else:
                    others.append(path.name)
        if others:
            text = f"{len(others)} that are no annotation of an image: {first(others)}"
            issues.append(Issue("annotations-unread", folder / "ann", text, count=len(others)))
    return records, issues


def _read_annotation(path: Path) -> Any:
    record = load_json(path)
    with name_file_in_errors(path):
        _titles(record)
    return record


def _titles(record: Any) -> set[str]:
    return {entry["classTitle"] for entry in record["objects"]}


def _parse_size(record: Any) -> tuple[int | None, int | None]:
    size = record.get("size") or {}
    return parse_side(size.get("height")), parse_side(size.get("width"))


def _image_name(path: Path) -> str:
    return path.name.removesuffix(".json")


def _list_unknown(annotations: Mapping[Path, Any], labels: Mapping[str, int]) -> Iterator[Issue]:
    files: dict[str, list[Path]] = defaultdict(list)
    for path, record in annotations.items():
        for title in sorted(_titles(record) - labels.keys()):
            files[title].append(path)
    for title, paths in files.items():
        text = f"class '{title}' is not in meta.json"
        if len(paths) > 1:
            text += f" (in {len(paths)} files)"
        refusal = f"{paths[0]}: {text}; add it there"
        yield Issue("class-unlisted", paths[0], text, count=len(paths), refusal=refusal)


def _name_image(project: Path, path: Path, record: Any) -> NamedImage:
    folder = path.parent.parent
    tags = [tag.get("name", "") for tag in record.get("tags") or [] if isinstance(tag, dict)]
    split = split_of_folders((*folder.relative_to(project).parts, *tags))
    return NamedImage(_image_name(path), path.parent, pack_record(record), split, (folder / "img",))


def _parse_colour(text: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(text.lstrip("#"))
    return red, green, blue


def parse_annotation(record: Any, image: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and shapes of an image; lines and points have no area, and so no ring."""
    size = size_of(image, *_parse_size(record))
    shapes = [_parse_shape(entry, labels[entry["classTitle"]]) for entry in record["objects"]]
    return ImageAnnotation(size, shapes)


def _parse_shape(entry: Any, label: int) -> Shape:
    kind = entry.get("geometryType") or ("bitmap" if entry.get("bitmap") else "polygon")
    if kind in ("bitmap", "alpha_mask"):
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
