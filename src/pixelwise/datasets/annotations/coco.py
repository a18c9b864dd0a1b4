"""COCO: a JSON file of polygons and run-length masks for each split.

Source: Lin et al., Microsoft COCO, 2014, and its data format.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.annotations import rle
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_dataset,
    find_split_folders,
    load_json,
    name_file_in_errors,
    note_missing_images,
    pack_record,
    to_points,
)
from pixelwise.datasets.annotations.polygons import Points, fill_region
from pixelwise.datasets.annotations.rasterize import (
    ClassMapping,
    Shape,
    classes_to_declare,
    find_regions,
    map_classes,
)
from pixelwise.datasets.issues import IssueNote
from pixelwise.datasets.splits import SPLITS
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array

LAYOUT = (
    "annotations/instances_train.json and images/ (COCO), or _annotations.coco.json in train/, "
    "valid/, test/"
)
# How a file of COCO begins, so that others need not be read whole.
_HEAD = re.compile(rb'\s*\{\s*"(info|licenses|images|annotations|categories|type)"\s*:')

# Beneath all other shapes.
_CROWD_LAYER = -1


def matches(root: Path) -> bool:
    """Whether JSON files of COCO lie at `root`, in annotations/ or in folders of splits."""
    return bool(_files(root))


def _files(root: Path) -> dict[str, Path]:
    """Annotation files by split; where several serve one, that called instances."""
    by_split: dict[str, list[Path]] = defaultdict(list)
    for folder in dict.fromkeys((*find_split_folders(root).values(), root / "annotations")):
        for path in sorted(folder.glob("*.json")):
            with path.open("rb") as file:
                if _HEAD.match(file.read(4096)):
                    by_split[_split_of(path, root)].append(path)
    return {split: _choose_file(root, split, paths) for split, paths in by_split.items()}


def _choose_file(root: Path, split: str, paths: list[Path]) -> Path:
    candidates = [path for path in paths if "instances" in path.stem] or paths
    if len(candidates) > 1:
        raise DataError(
            f"{root}: both {candidates[0].name} and {candidates[1].name} are {split}; "
            "keep one of them"
        )
    return candidates[0]


def _split_of(path: Path, root: Path) -> str:
    """The split that a file or its folder is named as; train where neither is."""
    words = re.split(r"[^a-z]+", path.stem.lower())
    if path.parent != root:
        words.append(path.parent.name.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), "train")


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a COCO set; classes are its categories by id, with a background before them. Crowds lie
    beneath the rest.

    Raises DataError for malformed JSON (with the place), files that do not agree on the categories,
    annotations without image or category, images listed twice and images that are not there.
    """
    files = _files(root)
    if not files:
        raise DataError(f"{root}: no COCO annotations; it needs {LAYOUT}")
    notes = [f"{', '.join(str(path.relative_to(root)) for path in files.values())}"]
    records: dict[Path, bytes] = {}
    splits: dict[str, list[Path]] = {}
    mappings: list[ClassMapping] = []
    for split, path in files.items():
        content = load_json(path)
        with name_file_in_errors(path):
            mappings.append(_map_categories(content, path))
            if mappings[-1].classes.names != mappings[0].classes.names:
                raise DataError(
                    f"{path}: its categories are not those of the other files; make them the same"
                )
            of_split, split_notes = _read_records(content, root, path, options)
        repeated = next((image for image in of_split if image in records), None)
        if repeated:
            raise DataError(
                f"{path}: '{repeated.name}' is in another split as well; keep one of them"
            )
        records |= of_split
        splits[split] = list(of_split)
        notes += split_notes
    reader = AnnotationReader(records, parse_annotation, mappings[0], by_area=True)
    return build_dataset(
        "coco", root, reader, splits, options=options, sources=list(files.values()), notes=notes
    )


def _map_categories(content: Any, source: Path) -> ClassMapping:
    """Classes in the order of their ids; a later category of the same id replaces an earlier."""
    categories = {
        int(category["id"]): (str(category["name"]), category.get("color"))
        for category in content["categories"]
    }
    declared = [
        (name, tuple(colour) if colour else None)
        for _, (name, colour) in sorted(categories.items())
    ]
    return map_classes(declared, source)


def _read_records(
    content: Any, root: Path, source: Path, options: DataOptions
) -> tuple[dict[Path, bytes], list[str]]:
    """A record for each image on disk, and notes."""
    shapes, boxes = _shapes_by_image(content, source)
    records: dict[Path, bytes] = {}
    missing = []
    folders = _image_folders(root, source)
    for image in content["images"]:
        name = str(image["file_name"])
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is None:
            missing.append(name)
        elif path in records:
            raise DataError(f"{source}: '{name}' stands there twice; keep one of them")
        else:
            size = [int(image["height"]), int(image["width"])]
            records[path] = pack_record([*size, shapes[image["id"]]])
    notes = note_missing_images(missing, len(content["images"]), source, options)
    if boxes:
        text = f"{source.name}: {boxes} annotations have a box alone and are left out"
        notes.append(IssueNote.of(text, "image-without-mask", source))
    return records, notes


def _shapes_by_image(content: Any, source: Path) -> tuple[dict[int, list[list[Any]]], int]:
    """By image id: class name, segmentation and crowd flag of each annotation; and how many have
    only a box.
    """
    names = {int(category["id"]): str(category["name"]) for category in content["categories"]}
    shapes: dict[int, list[list[Any]]] = {image["id"]: [] for image in content["images"]}
    boxes = 0
    for annotation in content["annotations"]:
        image = annotation["image_id"]
        category = annotation.get("category_id")
        if image not in shapes or category not in names:
            what = "image" if image not in shapes else "category"
            raise DataError(
                f"{source}: annotation {annotation.get('id')} is of {what} "
                f"{annotation.get(f'{what}_id')}, which is not listed"
            )
        segmentation = annotation.get("segmentation")
        boxes += not segmentation
        shapes[image].append([names[category], segmentation, annotation.get("iscrowd", 0)])
    return shapes, boxes


def _image_folders(root: Path, source: Path) -> Sequence[Path]:
    """Where images of an annotation file are looked for."""
    part = re.sub(r"^(instances|stuff|panoptic)_", "", source.stem)
    return [
        base / name
        for base in (source.parent, root / "images", root)
        for name in ("", part, _split_of(source, root))
    ]


def parse_annotation(record: Any, _: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and shapes of an image; the polygons of one annotation are united."""
    height, width, rows = record
    shapes = []
    for name, segmentation, crowd in rows:
        layer = _CROWD_LAYER if crowd else 0
        if isinstance(segmentation, dict):
            bits = _decode_rle(segmentation, (height, width))
            shapes.append(Shape(labels[name], bits=(0, 0, bits), layer=layer))
        elif segmentation:
            rings = [to_points(ring) for ring in segmentation]
            shapes.append(Shape(labels[name], rings, union=True, layer=layer))
    return ImageAnnotation((height, width), shapes)


def _decode_rle(segmentation: dict[str, Any], size: tuple[int, int]) -> rle.Bits:
    own_size = (int(segmentation["size"][0]), int(segmentation["size"][1]))
    if own_size != size:
        raise DataError(
            f"RLE of {own_size[0]} x {own_size[1]} pixels does not fit the image's {size[0]} x "
            f"{size[1]}"
        )
    counts = segmentation["counts"]
    if isinstance(counts, str):
        counts = rle.unpack_counts(counts)
    return rle.decode(counts, size)


def write(path: Path, items: Iterable[tuple[str, Array]], classes: Classes) -> None:
    """Write labels (H, W) by image file name: an annotation for each region, a polygon along its
    pixels' edges, or compressed RLE where it has holes, which a polygon of COCO cannot have.
    """
    images = list[str]()
    annotations = list[str]()
    void = False
    declared = classes_to_declare(classes, void=True)
    ids = {name: number for number, (name, *_) in enumerate(declared, 1)}
    for number, (name, labels) in enumerate(items, 1):
        height, width = labels.shape
        images.append(
            json.dumps({"id": number, "file_name": name, "height": height, "width": width})
        )
        for region, label, rings in find_regions(labels, classes):
            void |= label == VOID
            head = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": ids[region],
                "iscrowd": 0,
            }
            annotations.append(json.dumps(head | _describe_region(rings, labels.shape)))
    categories = [
        {"id": ids[name], "name": name, "supercategory": "", "color": colour}
        for name, colour, _ in classes_to_declare(classes, void=void)
    ]
    lists = {
        "images": images,
        "annotations": annotations,
        "categories": map(json.dumps, categories),
    }
    text = ",\n".join(f'"{key}": [\n' + ",\n".join(rows) + "\n]" for key, rows in lists.items())
    write_text(
        path, '{"info": {"description": "semantic regions"}, "licenses": [],\n' + text + "}\n"
    )


def _describe_region(rings: list[Points], size: tuple[int, ...]) -> dict[str, object]:
    top, left, bits = fill_region(rings, size)
    height, width = bits.shape
    segmentation: object = [rings[0].ravel().tolist()]
    if len(rings) > 1:  # a hole
        mask = np.zeros(size, bool)
        mask[top : top + height, left : left + width] = bits
        segmentation = {"size": list(size), "counts": rle.pack_counts(rle.encode(mask))}
    box = [left, top, width, height]
    return {"segmentation": segmentation, "area": int(bits.sum()), "bbox": box}
