"""LabelMe: a JSON file of shapes beside each image.

Source: labelme, its file format (version, shapes, imagePath, imageHeight, imageWidth).
"""

import base64
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_index,
    pack_record,
    to_points,
)
from pixelwise.datasets.annotations.join_holes import join_holes
from pixelwise.datasets.annotations.label_names import explain_labels, find_class_files
from pixelwise.datasets.annotations.labelme_files import (
    Annotation,
    ImageMatcher,
    holds_shapes,
    list_json,
    read_annotation,
)
from pixelwise.datasets.annotations.mask_pictures import holds_mask_pictures
from pixelwise.datasets.annotations.picture_files import split_of
from pixelwise.datasets.annotations.polygons import Points, box_ring, ellipse_ring
from pixelwise.datasets.annotations.rasterize import Shape
from pixelwise.datasets.annotations.thin_outlines import find_polygons
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue, describe_tolerated
from pixelwise.datasets.pairing import describe_unpaired
from pixelwise.datasets.splits import named_splits
from pixelwise.datasets.types import DataOptions, DataSet, first, images_in
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, open_image, oriented_size
from pixelwise.io.text import list_files

LAYOUT = (
    "x.jpg beside x.json of LabelMe, or in folders beside each other, such as images/ and labels/; "
    "labels.txt may list the classes"
)
# Points and lines label no pixel.
_WITHOUT_AREA = frozenset({"point", "points", "line", "linestrip"})
_POLYGONS = frozenset({"polygon", "oriented_rectangle", "rotation", "quadrilateral"})
_KINDS = frozenset({"rectangle", "circle", "mask"}) | _POLYGONS | _WITHOUT_AREA


def matches(root: Path) -> bool:
    """Whether some JSON file holds shapes of LabelMe: beside images, or in a folder of its own
    where no masks are.
    """
    of_splits = [root, *(folder for _, folder in named_splits(root)[0])]
    beside = (path for folder in of_splits for path in list_files(folder, (".json",)))
    if any(holds_shapes(path) and images_in(path.parent) for path in beside):
        return True
    return any(map(holds_shapes, list_json(root))) and not holds_mask_pictures(root)


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a LabelMe set. Without a list of classes, they are the labels found, by name.

    Raises DataError for what `index` refuses, and for its first issue that stops a training.
    """
    return open_index(index(root, options), options)


@dataclass
class _Records:
    """What is read of the annotation files."""

    splits: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    files: dict[Path, Path] = field(default_factory=dict)
    """The annotation file of each image."""
    packed: dict[Path, bytes] = field(default_factory=dict)
    labels: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    without_image: list[Path] = field(default_factory=list)
    lines: dict[Path, Counter[str]] = field(default_factory=dict)
    """Shapes without area by file."""


def index(root: Path, options: DataOptions) -> Index:
    """The files of a LabelMe set. Raises DataError where no JSON file holds shapes."""
    matcher = ImageMatcher(root)
    records = _Records()
    issues = list(named_splits(root)[1])
    others = []
    for path in list_json(root):
        annotation = read_annotation(path)
        if annotation is None:
            others.append(path)
        else:
            issues += _add_annotation(annotation, matcher, records, options)
    if not records.files and not records.without_image:
        raise DataError(f"{root}: no LabelMe files; it needs {LAYOUT}")
    issues += [Issue("annotations-unread", path, "holds no shapes of LabelMe") for path in others]
    issues += [*matcher.issues, *matcher.list_by_name(), *_list_unpaired(root, records, options)]
    paths = [*records.files.values(), *records.without_image]
    class_files = find_class_files([root, *(path.parent for path in paths)])
    meaning = explain_labels(root, class_files, records.labels, options)
    issues += meaning.issues
    return build_index(
        "labelme",
        root,
        AnnotationReader(records.packed, parse_annotation, meaning.mapping),
        records.splits,
        sources=[*meaning.sources, *sorted(paths)],
        notes=[
            _describe_files(records.files),
            *describe_tolerated(issues),
            *_describe_lines(records.lines),
        ],
        issues=issues,
    )


def _add_annotation(
    annotation: Annotation, matcher: ImageMatcher, records: _Records, options: DataOptions
) -> Iterable[Issue]:
    """Take up a file under its image; what is wrong with it."""
    path = annotation.path
    fault = annotation.fault or _find_fault(annotation.record)
    if fault:
        advice = "" if ";" in fault else "; mend it"  # some reasons bring their own
        refusal = f"{path}: {fault}{advice}, or train without the image: --skip-broken"
        if options.skip_broken:
            refusal = ""
        yield Issue("annotation-malformed", path, fault, annotation.position, refusal=refusal)
    image = matcher.find(annotation)
    if image is None:
        records.without_image.append(path)
        return
    if image in records.files:
        other = records.files[image]
        text = f"{other.name} is of {image.name} as well"
        refusal = f"{image}: has two annotations, {other} and {path}; remove one"
        yield Issue("mask-name-twice", path, text, refusal=refusal)
        return
    records.files[image] = path
    records.splits[split_of(matcher.root, image, path)].append(image)
    # A text in place of the record says why the image cannot be drawn.
    records.packed[image] = pack_record(fault or annotation.record)
    if fault:
        return
    shapes = annotation.record["shapes"]
    for label in sorted({_label_of(shape) for shape in shapes}):
        records.labels[label].append(path)
    lines = Counter(kind for kind in map(_kind_of, shapes) if kind in _WITHOUT_AREA)
    if lines:
        records.lines[path] = lines


def _find_fault(record: Mapping[str, Any]) -> str:
    """Why the shapes of a file cannot be read; empty where they can."""
    shapes = record["shapes"]
    if not isinstance(shapes, list):
        return "'shapes' is no list"
    for number, shape in enumerate(shapes, 1):
        if not isinstance(shape, dict) or not _label_of(shape):
            return f"shape {number} has no label"
        if _kind_of(shape) not in _KINDS:
            allowed = ", ".join(sorted(_KINDS))
            return f"shape {number} is a {_kind_of(shape)}; draw it as one of {allowed}"
        if not isinstance(shape.get("points"), list):
            return f"shape {number} has no points"
    return ""


def _label_of(shape: Mapping[str, Any]) -> str:
    """The label of a shape; blanks around it are slips of typing."""
    label = shape.get("label")
    return "" if label is None else str(label).strip()


def _group_of(shape: Mapping[str, Any]) -> int | None:
    """What shapes that are parts of one object share."""
    group = shape.get("group_id")
    return group if isinstance(group, int) else None


def _kind_of(shape: Mapping[str, Any]) -> str:
    return str(shape.get("shape_type") or "polygon")


def _list_unpaired(root: Path, records: _Records, options: DataOptions) -> list[Issue]:
    """Annotation files without image, and images beside annotated ones that have none."""
    folders = dict.fromkeys(image.parent for image in records.files)
    folders |= dict.fromkeys(path.parent for path in records.files.values())
    images = [image for folder in folders for image in images_in(folder)]
    bare = [image for image in images if image not in records.files]
    if not bare and not records.without_image:
        return []
    refusal = (
        f"{root}: {describe_unpaired(bare, records.without_image)} (of {len(images)} images and "
        f"{len(records.files) + len(records.without_image)} annotation files); add or rename "
        "them, or leave them out with --skip-unpaired"
    )
    if options.skip_unpaired:
        refusal = ""
    issues = [
        Issue("image-without-mask", path, f"no {path.stem}.json", refusal=refusal) for path in bare
    ]
    for path in records.without_image:
        text = "the image that it names is not here"
        issues.append(Issue("mask-without-image", path, text, refusal=refusal))
    return issues


def _describe_files(files: Mapping[Path, Path]) -> str:
    apart = any(image.parent != path.parent for image, path in files.items())
    return "JSON files and the images that they name" if apart else "x.json beside x.jpg"


def _describe_lines(lines: Mapping[Path, Counter[str]]) -> list[str]:
    """A line on shapes without area, for training; check counts them itself."""
    if not lines:
        return []
    total: Counter[str] = sum(lines.values(), Counter())
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(total.items()))
    return [
        f"{total.total()} shapes have no area and label nothing ({kinds}), in "
        f"{first(path.name for path in lines)}"
    ]


def parse_annotation(record: Any, image: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and shapes of a LabelMe file; points and lines have no area, and so no ring. A text in
    place of a record says why there is none.
    """
    if isinstance(record, str):
        raise DataError(record)
    height = record.get("imageHeight")
    width = record.get("imageWidth")
    size = (int(height), int(width)) if height and width else oriented_size(image)
    shapes = []
    for number, shape in enumerate(record["shapes"], 1):
        label = _label_of(shape)
        if label not in labels:
            raise DataError(f"shape {number} is called '{label}', which is not listed")
        try:
            parsed = _parse_shape(shape, labels[label])
            shapes.append(replace(parsed, group=_group_of(shape)))
        except (ValueError, TypeError, IndexError) as error:
            raise DataError(f"shape {number} ('{label}'): {error}") from error
    return ImageAnnotation(size, shapes)


def _parse_shape(shape: Any, label: int) -> Shape:
    kind = _kind_of(shape)
    corners = to_points(shape["points"])
    if kind == "mask":
        return _parse_mask(shape, corners, label)
    if kind == "rectangle" and len(corners) == 2:
        return Shape(label, [box_ring(*corners.ravel())])
    if kind == "circle":  # its middle and a point on it
        x, y = corners[0]
        radius = float(np.hypot(*(corners[1] - corners[0])))
        return Shape(label, [ellipse_ring(x, y, radius, radius)])
    return Shape(label, [] if kind in _WITHOUT_AREA else [corners])


def _parse_mask(shape: Any, corners: Points, label: int) -> Shape:
    bits = np.asarray(open_image(base64.b64decode(shape["mask"])).convert("L")) > 0
    (left, top), (right, bottom) = corners.round().astype(int).tolist()
    if bits.shape != (bottom - top + 1, right - left + 1):
        box = f"({left}, {top}) to ({right}, {bottom})"
        raise DataError(
            f"a mask of {bits.shape[0]} x {bits.shape[1]} pixels does not fit its box {box}"
        )
    return Shape(label, bits=(top, left, bits))


def write(
    path: Path, image: Path, labels: Array, classes: Classes, *, tolerance: float = 0.0
) -> None:
    """Write labels (H, W) of `image` as a LabelMe file of polygons, one a region; holes are joined
    to the outline.

    Background, or void where there is none, is what no polygon covers. Read back, the labels are
    the same, or those within `tolerance` pixels as in `find_polygons`.
    """
    shapes = [
        {
            "label": name,
            "points": join_holes(rings).tolist(),
            "group_id": None,
            "shape_type": "polygon",
            "flags": {},
        }
        for name, _, rings in find_polygons(labels, classes, tolerance)
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
