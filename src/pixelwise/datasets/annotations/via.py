"""VGG Image Annotator (VIA): a JSON file of regions by image, as its versions 1 and 2 write it.

Source: Dutta and Zisserman, The VIA Annotation Software for Images, Audio and Video, 2019, and its
documentation of the JSON format.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.datasets.annotations.find_images import ImageFinder, split_name
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_index,
    list_unusable_file,
    load_json,
    name_file_in_errors,
    pack_record,
)
from pixelwise.datasets.annotations.label_names import explain_labels, find_class_files
from pixelwise.datasets.annotations.labelme_files import list_json
from pixelwise.datasets.annotations.match_images import (
    NamedImage,
    match_images,
    split_of_folders,
)
from pixelwise.datasets.annotations.polygons import box_ring, ellipse_ring
from pixelwise.datasets.annotations.rasterize import Shape
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue, describe_tolerated, printable_path
from pixelwise.datasets.types import DataOptions, first
from pixelwise.errors import DataError
from pixelwise.io.images import oriented_size
from pixelwise.io.text import read_head

LAYOUT = "the JSON file of VIA (via_region_data.json, or its project) beside the images"
# A project holds the images under this key, beside settings.
_IMAGES = "_via_img_metadata"
_WITHOUT_AREA = frozenset({"point", "polyline", "line"})
# How the attribute of the class is called where regions have several.
_CLASS_NAMES = ("class", "label", "name", "category", "type")


def matches(root: Path) -> bool:
    """Whether a JSON file of VIA lies at `root` or beneath it."""
    return any(map(_is_via, list_json(root)))


def _is_via(path: Path) -> bool:
    text = read_head(path)
    return _IMAGES in text or '"shape_attributes"' in text or '"file_attributes"' in text


def index(root: Path, options: DataOptions) -> Index:
    """The images of the files, whose regions are called by one attribute.

    Raises DataError where there is no file, and where no region has a class. Issues are files that
    cannot be read, regions without class, and those of `match_images`.
    """
    sources = [path for path in list_json(root) if _is_via(path)]
    if not sources:
        raise DataError(f"{root}: no JSON file of VIA; it needs {LAYOUT}")
    issues: list[Issue] = []
    images: list[NamedImage] = []
    uses: dict[str, list[Path]] = defaultdict(list)
    attributes = []
    for source in sources:
        try:
            with name_file_in_errors(source):
                entries = _read_entries(load_json(source), source)
                attribute = _find_attribute(entries, source)
                images += _name_images(root, source, entries, attribute, issues, uses)
                attributes.append(attribute)
        except DataError as error:
            issues.append(list_unusable_file(source, error))
    matched = match_images(images, ImageFinder(root, (root, root / "images")), options)
    meaning = explain_labels(root, find_class_files([root]), uses, options)
    issues += [*matched.issues, *meaning.issues]
    names = ", ".join(printable_path(path, root) for path in sources)
    called = first(dict.fromkeys(filter(None, attributes)))
    return build_index(
        "via",
        root,
        AnnotationReader(matched.records, parse_annotation, meaning.mapping),
        matched.splits,
        sources=[*meaning.sources, *sources],
        notes=[f"regions of {names}, classes by {called}", *describe_tolerated(issues)],
        issues=issues,
    )


def _read_entries(content: Any, path: Path) -> list[dict[str, Any]]:
    """Name and regions of each image."""
    if isinstance(content, dict) and "project" in content and "metadata" in content:
        raise DataError.of_file(path, "is of VIA 3", "export it as COCO, or annotate with VIA 2")
    entries = content.get(_IMAGES, content)
    rows = []
    for entry in entries.values():
        regions = entry["regions"]
        rows.append(
            {
                "name": str(entry["filename"]),
                "regions": list(regions.values()) if isinstance(regions, dict) else regions,
            }
        )
    return rows


def _find_attribute(entries: Iterable[Mapping[str, Any]], path: Path) -> str:
    """The attribute of regions that holds their class. Raises DataError where it is doubtful."""
    regions = [region for entry in entries for region in entry["regions"]]
    rows = (region.get("region_attributes") or {} for region in regions)
    counts: Counter[str] = Counter(name for row in rows for name in row)
    if len(counts) < 2:
        return next(iter(counts), "")
    for name in _CLASS_NAMES:
        alike = [attribute for attribute in counts if attribute.strip().lower() == name]
        if len(alike) == 1:
            return alike[0]
    raise DataError.of_file(
        path,
        f"regions have the attributes {first(counts)}, of which none is called class",
        "rename the one that holds the class to class in VIA",
    )


def _name_images(
    root: Path,
    source: Path,
    entries: Iterable[Mapping[str, Any]],
    attribute: str,
    issues: list[Issue],
    uses: dict[str, list[Path]],
) -> Iterator[NamedImage]:
    """Each image with its regions; regions without class or area become issues."""
    for entry in entries:
        rows = []
        left_out = Counter[str]()
        for region in entry["regions"]:
            shape = region["shape_attributes"]
            label = _class_of((region.get("region_attributes") or {}).get(attribute))
            if shape["name"] in _WITHOUT_AREA or not label:
                left_out[shape["name"] if label else f"{shape['name']} without class"] += 1
                continue
            rows.append([label, shape])
            if source not in uses[label]:
                uses[label].append(source)
        if left_out:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
            text = f"{entry['name']}: {kinds}"
            issues.append(Issue("shape-left-out", source, text, count=left_out.total()))
        folders = (source.parent, source.parent / "images")
        parts = (*split_name(entry["name"])[:-1], *source.relative_to(root).parts[:-1])
        split = split_of_folders(parts)
        yield NamedImage(entry["name"], source, pack_record(rows), split, folders)


def _class_of(value: Any) -> str:
    """A text, or of a checkbox the one that is ticked."""
    if isinstance(value, dict):
        ticked = [name for name, state in value.items() if state]
        return str(ticked[0]) if len(ticked) == 1 else ""
    return "" if value is None else str(value).strip()


def parse_annotation(record: Any, image: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size of the image, and its regions."""
    shapes = []
    for label, shape in record:
        if label not in labels:
            raise DataError(f"a region is called '{label}', which is not listed")
        shapes.append(_parse_shape(shape, labels[label]))
    return ImageAnnotation(oriented_size(image), shapes)


def _parse_shape(shape: Mapping[str, Any], label: int) -> Shape:
    kind = shape["name"]
    if kind == "polygon":
        columns = np.array(shape["all_points_x"], np.float64)
        rows = np.array(shape["all_points_y"], np.float64)
        return Shape(label, [np.stack([columns, rows], axis=1)])
    if kind == "rect":
        left, top, width, height = _numbers(shape, "x", "y", "width", "height")
        return Shape(label, [box_ring(left, top, left + width, top + height)])
    if kind == "circle":
        x, y, radius = _numbers(shape, "cx", "cy", "r")
        return Shape(label, [ellipse_ring(x, y, radius, radius)])
    if kind == "ellipse":
        x, y, x_radius, y_radius = _numbers(shape, "cx", "cy", "rx", "ry")
        angle = float(shape.get("theta") or 0)  # radians, clockwise on the screen
        turn = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))
        return Shape(label, [ellipse_ring(0, 0, x_radius, y_radius) @ turn + (x, y)])
    raise DataError(f"a region is a {kind}; draw it as polygon, rect, circle or ellipse")


def _numbers(shape: Mapping[str, Any], *keys: str) -> list[float]:
    return [float(shape[key]) for key in keys]
