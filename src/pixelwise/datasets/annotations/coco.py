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
    Figure,
    RecordReader,
    dataset,
    folders_of,
    load_json,
    missing,
    packed,
    points,
    reading,
)
from pixelwise.datasets.annotations.polygons import Points, pixels
from pixelwise.datasets.annotations.rasterize import Legend, Shape, declared, legend, regions
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
_HEAD = re.compile(rb'\s*\{\s*"(info|licenses|images|annotations|categories|type)"\s*:')
_CROWD = -1


def matches(root: Path) -> bool:
    """Whether JSON files of COCO lie at `root`, in annotations/ or in folders of splits."""
    return bool(_files(root))


def _files(root: Path) -> dict[str, Path]:
    """Annotation files by split; where several serve one, that called instances."""
    found: dict[str, list[Path]] = defaultdict(list)
    for folder in dict.fromkeys((*folders_of(root).values(), root / "annotations")):
        for path in sorted(folder.glob("*.json")):
            with path.open("rb") as file:
                if _HEAD.match(file.read(4096)):
                    found[_split(path, root)].append(path)
    chosen = {}
    for split, paths in found.items():
        few = [path for path in paths if "instances" in path.stem] or paths
        if len(few) > 1:
            raise DataError(
                f"{root}: both {few[0].name} and {few[1].name} are {split}; keep one of them"
            )
        chosen[split] = few[0]
    return chosen


def _split(path: Path, root: Path) -> str:
    words = re.split(r"[^a-z]+", path.stem.lower()) + (
        [path.parent.name.lower()] if path.parent != root else []
    )
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
    legends: list[Legend] = []
    for split, path in files.items():
        content = load_json(path)
        with reading(path):
            names = {
                int(one["id"]): (str(one["name"]), one.get("color"))
                for one in content["categories"]
            }
            here = legend(
                [
                    (name, tuple(colour) if colour else None)
                    for _, (name, colour) in sorted(names.items())
                ],
                path,
            )
            legends.append(here)
            if here.classes.names != legends[0].classes.names:
                raise DataError(
                    f"{path}: its categories are not those of the other files; make them the same"
                )
            found, said = _records(
                content, {key: name for key, (name, _) in names.items()}, root, path, options
            )
        twice = next((image for image in found if image in records), None)
        if twice:
            raise DataError(f"{path}: '{twice.name}' is in another split as well; keep one of them")
        records |= found
        splits[split] = list(found)
        notes += said
    reader = RecordReader(records, figure, legends[0], by_area=True)
    return dataset(
        "coco", root, reader, splits, options=options, sources=list(files.values()), notes=notes
    )


def _records(
    content: Any, names: Mapping[int, str], root: Path, source: Path, options: DataOptions
) -> tuple[dict[Path, bytes], list[str]]:
    """A record for each image on disk, and notes."""
    of_image: dict[int, list[list[Any]]] = {image["id"]: [] for image in content["images"]}
    bare = 0
    for one in content["annotations"]:
        if one["image_id"] not in of_image or one.get("category_id") not in names:
            what = "image" if one["image_id"] not in of_image else "category"
            raise DataError(
                f"{source}: annotation {one.get('id')} is of {what} {one.get(f'{what}_id')}, "
                "which is not listed"
            )
        bare += not one.get("segmentation")
        of_image[one["image_id"]].append(
            [names[one["category_id"]], one.get("segmentation"), one.get("iscrowd", 0)]
        )
    found: dict[Path, bytes] = {}
    lacking = []
    bases = _bases(root, source)
    for image in content["images"]:
        name = str(image["file_name"])
        path = next((base / name for base in bases if (base / name).is_file()), None)
        if path is None:
            lacking.append(name)
        elif path in found:
            raise DataError(f"{source}: '{name}' stands there twice; keep one of them")
        else:
            found[path] = packed([int(image["height"]), int(image["width"]), of_image[image["id"]]])
    said = missing(lacking, len(content["images"]), source, options)
    if bare:
        text = f"{source.name}: {bare} annotations have a box alone and are left out"
        said.append(IssueNote.of(text, "image-without-mask", source))
    return found, said


def _bases(root: Path, source: Path) -> Sequence[Path]:
    """Where images of an annotation file are looked for."""
    part = re.sub(r"^(instances|stuff|panoptic)_", "", source.stem)
    return [
        base / name
        for base in (source.parent, root / "images", root)
        for name in ("", part, _split(source, root))
    ]


def figure(record: Any, _: Path, labels: Mapping[str, int]) -> Figure:
    """Size and shapes of an image; the polygons of one annotation are united."""
    height, width, rows = record
    shapes = []
    for name, drawn, crowd in rows:
        layer = _CROWD if crowd else 0
        if isinstance(drawn, dict):
            size = (int(drawn["size"][0]), int(drawn["size"][1]))
            if size != (height, width):
                raise DataError(
                    f"RLE of {size[0]} x {size[1]} pixels does not fit the image's {height} x "
                    f"{width}"
                )
            counts = (
                rle.unpack(drawn["counts"]) if isinstance(drawn["counts"], str) else drawn["counts"]
            )
            shapes.append(Shape(labels[name], bits=(0, 0, rle.decode(counts, size)), layer=layer))
        elif drawn:
            shapes.append(
                Shape(labels[name], [points(ring) for ring in drawn], union=True, layer=layer)
            )
    return (height, width), shapes


def write(path: Path, items: Iterable[tuple[str, Array]], classes: Classes) -> None:
    """Write labels (H, W) by image file name: an annotation for each region, a polygon along its
    pixels' edges, or compressed RLE where it has holes, which a polygon of COCO cannot have.
    """
    images = list[str]()
    annotations = list[str]()
    void = False
    ids = {name: at for at, (name, *_) in enumerate(declared(classes, void=True), 1)}
    for number, (name, labels) in enumerate(items, 1):
        height, width = labels.shape
        images.append(
            json.dumps({"id": number, "file_name": name, "height": height, "width": width})
        )
        for called, label, rings in regions(labels, classes):
            void |= label == VOID
            head = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": ids[called],
                "iscrowd": 0,
            }
            annotations.append(json.dumps(head | _drawn(rings, labels.shape)))
    categories = [
        {"id": ids[name], "name": name, "supercategory": "", "color": colour}
        for name, colour, _ in declared(classes, void=void)
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


def _drawn(rings: list[Points], size: tuple[int, ...]) -> dict[str, object]:
    top, left, bits = pixels(rings, size)
    box = [left, top, bits.shape[1], bits.shape[0]]
    drawn: object = [rings[0].ravel().tolist()]
    if len(rings) > 1:
        whole = np.zeros(size, bool)
        whole[top : top + bits.shape[0], left : left + bits.shape[1]] = bits
        drawn = {"size": list(size), "counts": rle.pack(rle.encode(whole))}
    return {"segmentation": drawn, "area": int(bits.sum()), "bbox": box}
