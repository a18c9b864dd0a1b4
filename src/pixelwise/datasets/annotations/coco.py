"""COCO: a JSON file of polygons and run-length masks for each split, or of panoptic segments.

Source: Lin et al., Microsoft COCO, 2014, and its data format.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.annotations import rle
from pixelwise.datasets.annotations.coco_content import Category, CocoContent, Id, read_content
from pixelwise.datasets.annotations.coco_files import (
    PANOPTIC,
    choose_file,
    describe_results,
    find_coco_files,
    kind_of,
)
from pixelwise.datasets.annotations.coco_panoptic import (
    pair_masks,
    panoptic_reader,
    read_panoptic,
)
from pixelwise.datasets.annotations.find_images import ImageFinder
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_index,
    list_unusable_file,
    size_of,
    to_points,
)
from pixelwise.datasets.annotations.match_images import match_images
from pixelwise.datasets.annotations.polygons import Points, fill_region
from pixelwise.datasets.annotations.rasterize import Shape, classes_to_declare, map_classes
from pixelwise.datasets.annotations.thin_outlines import find_polygons
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue, describe_tolerated, printable_path, raise_first
from pixelwise.datasets.splits import SPLIT_ORDER
from pixelwise.datasets.types import DataOptions, first
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array

LAYOUT = (
    "annotations/instances_train.json and images/ (COCO), or _annotations.coco.json in train/, "
    "valid/, test/"
)


def matches(root: Path) -> bool:
    """Whether JSON files of COCO lie at `root`, in annotations/ or in folders of splits."""
    return bool(find_coco_files(root))


def index(root: Path, options: DataOptions) -> Index:
    """The images of a COCO set, whose classes are its categories by id, with a background before
    them, or void for what no panoptic segment covers. Raises DataError where no file holds masks,
    and for files of both kinds.

    Issues are malformed files (with the place), those of another kind, files that do not agree on
    the categories, annotations without image, category or area, and those of `match_images`.
    """
    contents, issues = _read_files(root)
    if not contents:
        raise_first(issues)
        raise DataError(_describe_nothing(root, issues))
    _check_same_kind(contents)
    categories = _drop_group(contents, issues)
    issues += _list_contradictions(contents, categories)
    images = [image for content in contents for image in content.images]
    finder = ImageFinder(root, (root / "images", root))
    matched = match_images(images, finder, options)
    issues += matched.issues
    sources = [content.path for content in contents]
    files = ", ".join(printable_path(path, root) for path in sources)
    is_panoptic = contents[0].panoptic
    make_reader = panoptic_reader if is_panoptic else _polygon_reader
    index = build_index(
        "coco",
        root,
        make_reader(matched.records, categories, contents[0].path),
        matched.splits,
        sources=sources,
        notes=[f"{files}; classes in the order of their ids", *describe_tolerated(issues)],
        issues=issues,
    )
    return pair_masks(index, matched.records) if is_panoptic else index


def _check_same_kind(contents: Sequence[CocoContent]) -> None:
    for content in contents:
        if content.panoptic != contents[0].panoptic:
            raise DataError(
                f"{content.path}: of {contents[0].path.name} and {content.path.name} one holds "
                "panoptic segments; give files of one kind for all splits"
            )


def _polygon_reader(
    records: Mapping[Path, bytes], categories: Sequence[Category], source: Path
) -> AnnotationReader:
    mapping = map_classes([(category.name, category.colour) for category in categories], source)
    return AnnotationReader(records, parse_annotation, mapping, by_area=True)


def _describe_nothing(root: Path, issues: Sequence[Issue]) -> str:
    if issues:
        return f"{issues[0].file}: {issues[0].text}; it needs the list annotations as well"
    return describe_results(root) or f"{root}: no COCO annotations; it needs {LAYOUT}"


def _read_files(root: Path) -> tuple[list[CocoContent], list[Issue]]:
    contents = []
    issues: list[Issue] = []
    # Those of train first: they give the order of the classes.
    by_split = sorted(find_coco_files(root).items(), key=lambda item: _rank(item[0]))
    for split, paths in by_split:
        try:
            file, others = choose_file(paths, split)
            issues += others
            if "annotations" not in file.content and "images" in file.content:
                text = "lists images without annotations"
                issues.append(Issue("split-without-masks", file.path, text))
                continue
            folders = _image_folders(root, file.path, split)
            is_panoptic = kind_of(file.content) == PANOPTIC
            content = (
                read_panoptic(file, root, folders) if is_panoptic else read_content(file, folders)
            )
        except DataError as error:
            issues.append(list_unusable_file(paths[0], error))
            continue
        contents.append(content)
        issues += content.issues
    return contents, issues


def _rank(split: str | None) -> int:
    return SPLIT_ORDER.index(split or "train")


def _image_folders(root: Path, source: Path, split: str | None) -> tuple[Path, ...]:
    """Where images of an annotation file are looked for."""
    part = re.sub(r"^(instances|stuff|panoptic)_", "", source.stem)
    names = ("", part, *([split] if split else []))
    bases = (source.parent, root / "images", root)
    return tuple(base / name for base in bases for name in names)


def _drop_group(contents: Sequence[CocoContent], issues: list[Issue]) -> list[Category]:
    """The categories without one that only groups the others, as Roboflow puts it before them: it
    is their supercategory and has no annotation.
    """
    categories = list(contents[0].categories)
    used: set[Id] = set().union(*(content.used for content in contents))
    for group in categories:
        others = [category for category in categories if category is not group]
        is_parent = {category.parent for category in others} == {group.name}
        if is_parent and group.id not in used and group.parent != group.name:
            text = f"'{group.name}' has no annotation and is no class"
            issues.append(Issue("category-group", contents[0].path, text))
            return others
    return categories


def _list_contradictions(
    contents: Sequence[CocoContent], categories: Sequence[Category]
) -> Iterable[Issue]:
    """Files whose categories are called unlike those of the first."""
    names = {category.name for category in contents[0].categories}
    for content in contents[1:]:
        unlike = names ^ {category.name for category in content.categories}
        if unlike:
            text = (
                f"its categories are not those of {contents[0].path.name}: {first(sorted(unlike))}"
            )
            refusal = f"{content.path}: {text}; make them the same"
            yield Issue("classes-contradict", content.path, text, refusal=refusal)


def parse_annotation(record: Any, image: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and shapes of an image; the polygons of one annotation are united."""
    height, width, rows = record
    size = size_of(image, height, width)
    shapes = []
    for name, segmentation, *crowd in rows:
        if isinstance(segmentation, dict):
            bits = _decode_rle(segmentation, size)
            shapes.append(Shape(labels[name], bits=(0, 0, bits), crowd=bool(crowd)))
        else:
            rings = [to_points(ring) for ring in segmentation]
            shapes.append(Shape(labels[name], rings, union=True, crowd=bool(crowd)))
    return ImageAnnotation(size, shapes)


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


def write(
    path: Path, items: Iterable[tuple[str, Array]], classes: Classes, *, tolerance: float = 0.0
) -> None:
    """Write labels (H, W) by image file name: an annotation for each region, a polygon along its
    pixels' edges, thinned as in `find_polygons`, or compressed RLE where it has holes, which a
    polygon of COCO cannot have.
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
        for region, label, rings in find_polygons(labels, classes, tolerance):
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
