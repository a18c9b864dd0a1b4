"""Label Studio: a JSON file of all tasks, as its exports JSON and JSON-MIN write it.

Source: Label Studio's documentation, its export formats and the results of its image tags. Shapes
are in per cent of the image's width and height, brush masks as run lengths.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.datasets.annotations import brush_rle
from pixelwise.datasets.annotations.find_images import ImageFinder
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_index,
    list_missing_images,
    load_json,
    pack_record,
    to_points,
)
from pixelwise.datasets.annotations.label_names import explain_labels, find_class_files
from pixelwise.datasets.annotations.labelme_files import list_json
from pixelwise.datasets.annotations.labelstudio_tasks import Task, holds_tasks, read_task
from pixelwise.datasets.annotations.mask_pictures import holds_mask_pictures
from pixelwise.datasets.annotations.match_images import list_unlisted
from pixelwise.datasets.annotations.picture_files import list_folders, split_of
from pixelwise.datasets.annotations.polygons import Points, box_ring, ellipse_ring
from pixelwise.datasets.annotations.rasterize import Shape
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue, describe_tolerated
from pixelwise.datasets.splits import SPLITS
from pixelwise.datasets.types import DataOptions, DataSet, first
from pixelwise.errors import DataError
from pixelwise.io.images import oriented_size

LAYOUT = "the JSON (or JSON-MIN) export of Label Studio beside the images"
_KINDS = frozenset({"polygon", "rectangle", "ellipse", "brush", "keypoint"})
# How Label Studio calls the masks of its exports "Brush labels to PNG" and "to NumPy".
_BRUSH_FILE = re.compile(r"task-\d+-annotation-\d+-by-.*-\d+\.(png|npy)", re.IGNORECASE)
_DEPTH = 2


def matches(root: Path) -> bool:
    """Whether a JSON file holds tasks of Label Studio, or masks are called as it calls them."""
    if _find_brush_file(root) is not None:
        return True
    return any(map(holds_tasks, list_json(root))) and not holds_mask_pictures(root)


def _find_brush_file(root: Path) -> Path | None:
    for folder in list_folders(root, _DEPTH):
        with os.scandir(folder) as entries:
            for entry in entries:
                if _BRUSH_FILE.fullmatch(entry.name):
                    return Path(entry.path)
    return None


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a set of Label Studio. Without a list of classes, they are the labels used, by name.

    Raises DataError for what `index` refuses, and for its first issue that stops a training.
    """
    return open_index(index(root, options), options)


@dataclass
class _Records:
    """What is read of the tasks."""

    splits: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    tasks: dict[Path, Task] = field(default_factory=dict)
    """The task of each image."""
    unannotated: set[Path] = field(default_factory=set)
    sources: dict[Path, Path] = field(default_factory=dict)
    """The file of that."""
    missing: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def index(root: Path, options: DataOptions) -> Index:
    """The images and annotations of Label Studio's exports.

    Raises DataError where there is none, or none with a shape that labels pixels.
    """
    files = [path for path in list_json(root) if holds_tasks(path)]
    if not files:
        raise DataError(_describe_no_tasks(root))
    finder = ImageFinder(root, (root, root / "images"))
    records = _Records()
    for path in files:
        content = load_json(path)
        tasks = content if isinstance(content, list) else [content]
        missing = len(records.missing)
        for task in tasks:
            _add_task(task, path, root, finder, records)
        records.issues += list_missing_images(records.missing[missing:], len(tasks), path, options)
    labels = _list_labels(records.tasks)
    if records.unannotated and not records.tasks:
        raise DataError(
            f"{files[0]}: nobody has annotated these tasks, or submitted what was predicted for "
            "them; submit them in Label Studio and export again"
        )
    if records.tasks and not labels:
        raise DataError(
            f"{files[0]}: no region labels pixels; segmentation needs polygons, brushes, "
            "rectangles or ellipses with labels"
        )
    faults = {image: _find_fault(task) for image, task in records.tasks.items()}
    issues = [*records.issues, *_list_task_issues(records, faults, options)]
    issues += list_unlisted(
        records.tasks.keys() | records.unannotated, {image.parent for image in records.tasks}
    )
    meaning = explain_labels(root, find_class_files([root]), labels, options)
    issues += meaning.issues
    return build_index(
        "labelstudio",
        root,
        AnnotationReader(_pack(records.tasks, faults), parse_annotation, meaning.mapping),
        records.splits,
        sources=[*meaning.sources, *files],
        notes=[
            ", ".join(str(path.relative_to(root)) for path in files),
            *describe_tolerated(issues),
            *_describe_keypoints(records.tasks),
        ],
        issues=issues,
    )


def _describe_no_tasks(root: Path) -> str:
    brush_file = _find_brush_file(root)
    if brush_file is None:
        return f"{root}: no tasks of Label Studio; it needs {LAYOUT}"
    return (
        f"{brush_file.parent}: brush masks of Label Studio, such as {brush_file.name}, which do "
        "not say whose image they are of; export the project as JSON or COCO and put that file "
        "beside the images"
    )


def _add_task(
    content: Any, source: Path, root: Path, finder: ImageFinder, records: _Records
) -> None:
    """Take up a task under its image."""
    try:
        task = read_task(content)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        text = f"a task that is not as its format has it ({error!r})"
        refusal = f"{source}: {text}; export it again"
        records.issues.append(Issue("annotation-malformed", source, text, refusal=refusal))
        return
    name = task.names[0] if task.names else f"task {task.id}"
    image = next(filter(None, map(finder.find, task.names)), None)
    if task.regions is None:
        text = f"task {task.id} ({name}) has no annotation"
        records.issues.append(Issue("image-unannotated", source, text, image=image))
        records.unannotated |= {image} if image else set()
        return
    if image is None:
        records.missing.append(name)
        return
    other = records.tasks.get(image)
    if other is None:
        split = split_of(root, image, source)
        records.splits[_split_of_file(source) if split == "train" else split].append(image)
    else:
        records.issues.append(_two_tasks_issue(other, task, image, source))
        if other.changed > task.changed:
            return
    records.tasks[image] = task
    records.sources[image] = source


def _split_of_file(source: Path) -> str:
    words = re.split(r"[^a-z]+", source.stem.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), "train")


def _two_tasks_issue(one: Task, other: Task, image: Path, source: Path) -> Issue:
    """Two annotations of an image; two images that only look alike without their prefixes."""
    ids = f"tasks {one.id} and {other.id}"
    if one.names[:1] == other.names[:1]:
        return Issue("image-annotated-twice", source, f"{ids} are of {image.name}", image=image)
    text = f"{ids} ({one.names[0]}, {other.names[0]}) both seem to be of {image.name}"
    refusal = f"{source}: {text}; call the images as Label Studio does"
    return Issue("mask-name-twice", source, text, refusal=refusal)


def _list_labels(tasks: Mapping[Path, Task]) -> dict[str, list[Path]]:
    """The images of each label."""
    labels: dict[str, list[Path]] = defaultdict(list)
    for image, task in tasks.items():
        for label in sorted({region.label for region in task.regions or ()}):
            labels[label].append(image)
    return labels


def _find_fault(task: Task) -> str:
    """Why an annotation cannot be read; empty where it can."""
    regions = task.regions or []
    for region in regions:
        if region.kind not in _KINDS:
            return f"task {task.id}: a region of type {region.kind} is not read; export it as COCO"
        if region.turned % 360:
            return (
                f"task {task.id}: its image was turned by {region.turned:g} degrees in Label "
                "Studio; turn the file itself and label it so"
            )
    sizes = {region.size for region in regions}
    if len(sizes) > 1:
        height, width = regions[0].size
        return f"task {task.id}: regions of other sizes than {height} x {width}; export it again"
    return ""


def _list_task_issues(
    records: _Records, faults: Mapping[Path, str], options: DataOptions
) -> Iterable[Issue]:
    kinds = {region.kind for task in records.tasks.values() for region in task.regions or ()}
    if kinds == {"rectangle"}:
        yield Issue("boxes-alone", next(iter(records.sources.values())), "rectangles alone")
    for image, task in records.tasks.items():
        source = records.sources[image]
        if faults[image]:
            refusal = f"{source}: {faults[image]}, or train without the image: --skip-broken"
            if options.skip_broken:
                refusal = ""
            yield Issue("annotation-malformed", source, faults[image], image=image, refusal=refusal)
        if task.annotations > 1:
            text = f"task {task.id} ({image.name}) has {task.annotations} annotations"
            yield Issue("image-annotated-twice", source, text, image=image)
        if task.unlabelled:
            text = f"task {task.id} ({image.name}): {task.unlabelled} regions without label"
            yield Issue("shape-left-out", source, text, count=task.unlabelled, image=image)
        if task.several_labels:
            count = len(task.several_labels)
            text = f"task {task.id} ({image.name}): {first(task.several_labels)}"
            yield Issue("shape-with-labels", source, text, count=count, image=image)


def _pack(tasks: Mapping[Path, Task], faults: Mapping[Path, str]) -> dict[Path, bytes]:
    """A record for each image: size and regions, or a text that says why there is none."""
    records: dict[Path, bytes] = {}
    for image, task in tasks.items():
        regions = task.regions or []
        rows = [[region.label, region.kind, region.numbers] for region in regions]
        size = regions[0].size if regions else None
        records[image] = pack_record(faults[image] or [size, rows])
    return records


def _describe_keypoints(tasks: Mapping[Path, Task]) -> list[str]:
    """A line on points, for training; check counts them itself."""
    images = []
    count = 0
    for image, task in tasks.items():
        points = sum(region.kind == "keypoint" for region in task.regions or ())
        count += points
        images += [image.name] if points else []
    return [f"{count} keypoints label no pixel, in {first(images)}"] if count else []


def parse_annotation(record: Any, image: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and shapes of a task; the later covers the earlier."""
    if isinstance(record, str):
        raise DataError(record)
    stored_size, rows = record
    size = (stored_size[0], stored_size[1]) if stored_size else oriented_size(image)
    shapes = []
    for label, kind, numbers in rows:
        if label not in labels:
            raise DataError(f"a region is called '{label}', which is not listed")
        shapes.append(_parse_shape(kind, numbers, labels[label], size))
    return ImageAnnotation(size, shapes)


def _parse_shape(kind: str, numbers: Sequence[Any], label: int, size: tuple[int, int]) -> Shape:
    height, width = size
    scale = np.array((width, height)) / 100
    if kind == "brush":
        return Shape(label, bits=(0, 0, brush_rle.decode(numbers, size)))
    if kind == "polygon":
        return Shape(label, [to_points(numbers) * scale])
    if kind == "keypoint":
        return Shape(label)
    x, y, x_extent, y_extent, angle = (float(number) for number in numbers)
    corner = np.array((x, y)) * scale
    extent = np.array((x_extent, y_extent)) * scale
    if kind == "ellipse":
        ring = ellipse_ring(*corner, *extent)
    else:
        ring = box_ring(*corner, *(corner + extent))
    return Shape(label, [_rotate(ring, corner, angle)])


def _rotate(ring: Points, centre: Points, degrees: float) -> Points:
    """`ring` turned about a point, clockwise on the screen, where y points down."""
    if not degrees:
        return ring
    sine = np.sin(np.radians(degrees))
    cosine = np.cos(np.radians(degrees))
    turn = np.array(((cosine, sine), (-sine, cosine)))
    rotated: Points = (ring - centre) @ turn + centre
    return rotated
