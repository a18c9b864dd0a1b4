"""GeoJSON in pixels: a file of polygons for each image, as QuPath reads and writes them.

Source: RFC 7946; QuPath's documentation, on objects as GeoJSON. x is the column and y the row,
downwards, from the upper left corner of the image.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_index,
    list_unusable_file,
    load_json,
    name_file_in_errors,
    pack_record,
    to_points,
)
from pixelwise.datasets.annotations.label_names import explain_labels, find_class_files
from pixelwise.datasets.annotations.labelme_files import Annotation, ImageMatcher
from pixelwise.datasets.annotations.picture_files import list_folders, split_of
from pixelwise.datasets.annotations.polygons import Points
from pixelwise.datasets.annotations.rasterize import Shape
from pixelwise.datasets.annotations.thin_outlines import find_polygons
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue, describe_tolerated
from pixelwise.datasets.types import DataOptions, images_in
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, oriented_size
from pixelwise.io.text import list_files

LAYOUT = "x.jpg beside x.geojson with polygons in pixels, as of QuPath, or in folders of their own"
# What the member `coordinates` says of them, where no crs can.
PIXELS = "columns and rows of pixels, from the upper left corner"
_DEPTH = 2
_WITHOUT_AREA = frozenset({"Point", "MultiPoint", "LineString", "MultiLineString"})


@dataclass
class _Records:
    """What is read of the files."""

    splits: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    packed: dict[Path, bytes] = field(default_factory=dict)
    files: dict[Path, Path] = field(default_factory=dict)
    """The file of each image."""
    labels: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    issues: list[Issue] = field(default_factory=list)


def matches(root: Path) -> bool:
    """Whether a file of GeoJSON lies in a folder that holds pictures, or in one beside it."""
    files = list(_list_files(root))
    return bool(files) and any(images_in(folder) for folder in list_folders(root, _DEPTH))


def _list_files(root: Path) -> Iterator[Path]:
    for folder in list_folders(root, _DEPTH):
        yield from list_files(folder, (".geojson",))


def index(root: Path, options: DataOptions) -> Index:
    """The files of a set. Raises DataError where there is none.

    Issues are files that cannot be read or whose coordinates are no pixels, and those without
    image.
    """
    files = list(_list_files(root))
    if not files:
        raise DataError(f"{root}: no file of GeoJSON; it needs {LAYOUT}")
    matcher = ImageMatcher(root)
    records = _Records()
    for path in files:
        try:
            _add_file(path, matcher, records, options)
        except DataError as error:
            records.issues.append(list_unusable_file(path, error))
    records.issues += [*matcher.issues, *_list_bare_images(records, root, options)]
    class_files = find_class_files([root, *(path.parent for path in files)])
    meaning = explain_labels(root, class_files, records.labels, options)
    issues = [*records.issues, *meaning.issues]
    return build_index(
        "geojson",
        root,
        AnnotationReader(records.packed, parse_annotation, meaning.mapping),
        records.splits,
        sources=[*meaning.sources, *sorted(files)],
        notes=["x.geojson and x.jpg", *describe_tolerated(issues)],
        issues=issues,
    )


def _add_file(path: Path, matcher: ImageMatcher, records: _Records, options: DataOptions) -> None:
    """Take up a file under its image. Raises DataError for one that cannot be read."""
    content = load_json(path)
    with name_file_in_errors(path):
        rows, without_area = _read_features(content, path)
    image = matcher.find(Annotation(path, {}))
    if image is None:
        refusal = f"{path}: no image of that name is here; add it, or --skip-unpaired"
        text = "no image of that name is here"
        records.issues.append(
            Issue(
                "mask-without-image", path, text, refusal="" if options.skip_unpaired else refusal
            )
        )
        return
    if without_area:
        text = ", ".join(f"{count} {kind}" for kind, count in sorted(without_area.items()))
        records.issues.append(
            Issue("shape-left-out", path, f"shapes without area or class: {text}", image=image)
        )
    records.files[image] = path
    records.splits[split_of(matcher.root, image, path)].append(image)
    records.packed[image] = pack_record(rows)
    for label in dict.fromkeys(label for label, _ in rows):
        records.labels[label].append(path)


def _read_features(content: Any, path: Path) -> tuple[list[list[Any]], Counter[str]]:
    """Class and polygons of each feature, and how many have no area or no class, by kind."""
    features = content if isinstance(content, list) else content.get("features", [content])
    if not _are_pixels(content, features):
        raise DataError.of_file(
            path,
            "does not say that its coordinates are pixels, and may mean degrees",
            f'add the member "coordinates": "{PIXELS}" if they are, or export it from QuPath',
        )
    rows = []
    left_out = Counter[str]()
    for feature in features:
        geometry = feature.get("geometry") or {}
        kind = str(geometry.get("type"))
        label = _class_of(feature.get("properties") or {})
        if kind in _WITHOUT_AREA or not label:
            left_out[kind if label else f"{kind} without class"] += 1
        elif kind in ("Polygon", "MultiPolygon"):
            parts = geometry["coordinates"]
            rows.append([label, [parts] if kind == "Polygon" else parts])
        else:
            raise DataError.of_file(
                path, f"holds a geometry of type {kind}", "draw it as Polygon or MultiPolygon"
            )
    return rows, left_out


def _are_pixels(content: Any, features: list[Any]) -> bool:
    """Whether a file says so itself, or is one of QuPath."""
    if isinstance(content, dict) and content.get("coordinates") == PIXELS:
        return True
    properties = [feature.get("properties") or {} for feature in features]
    return all("classification" in row or "objectType" in row for row in properties)


def _class_of(properties: Mapping[str, Any]) -> str:
    """QuPath's classification, or a property `class`."""
    classification = properties.get("classification")
    if isinstance(classification, dict):
        names = classification.get("names")
        joined = ": ".join(map(str, names)) if isinstance(names, list) else ""
        return str(classification.get("name") or joined).strip()
    return str(properties.get("class") or "").strip()


def _list_bare_images(records: _Records, root: Path, options: DataOptions) -> Iterator[Issue]:
    """Images beside annotated ones that have no file."""
    folders = dict.fromkeys(image.parent for image in records.files)
    images = [image for folder in folders for image in images_in(folder)]
    for image in (image for image in images if image not in records.files):
        text = f"no {image.stem}.geojson"
        refusal = f"{image}: {text}; add it (without features if nothing is there), or leave such "
        refusal += "images out with --skip-unpaired"
        if options.skip_unpaired:
            refusal = ""
        yield Issue("image-without-mask", image, text, refusal=refusal)


def parse_annotation(record: Any, image: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size of the image, and its polygons."""
    shapes = []
    for label, polygons in record:
        if label not in labels:
            raise DataError(f"a polygon is called '{label}', which is not listed")
        for rings in polygons:
            shapes.append(Shape(labels[label], [to_points(ring) for ring in rings]))
    return ImageAnnotation(oriented_size(image), shapes)


def write(path: Path, labels: Array, classes: Classes, *, tolerance: float = 0.0) -> None:
    """Write labels (H, W) as polygons with holes, one a region, thinned as in `find_polygons`.

    Background, or void where there is none, is what no polygon covers.
    """
    features = []
    for name, label, rings in find_polygons(labels, classes, tolerance):
        colour = list(classes.palette[label]) if label < len(classes) else [128, 128, 128]
        properties = {
            "objectType": "annotation",
            "classification": {"name": name, "color": colour},
            "label": label,
            "class": name,
        }
        geometry = {"type": "Polygon", "coordinates": [_close(ring) for ring in rings]}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    head = {"type": "FeatureCollection", "crs": None, "coordinates": PIXELS}
    lines = ",\n".join(map(json.dumps, features))
    write_text(path, json.dumps(head)[:-1] + f', "features": [\n{lines}\n]}}\n')


def _close(ring: Points) -> list[list[float]]:
    """The ring with its first corner again at the end, as RFC 7946 has it."""
    corners: list[list[float]] = ring.tolist()
    return [*corners, corners[0]]
