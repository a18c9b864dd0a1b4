"""YOLO segmentation: data.yaml, and for each image a text file of polygons, one a line: class x y x
y ..., in 0..1.

Source: Ultralytics' documentation, instance segmentation data sets.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_index,
    pack_record,
    to_points,
)
from pixelwise.datasets.annotations.join_holes import join_holes
from pixelwise.datasets.annotations.mask_pictures import holds_mask_pictures
from pixelwise.datasets.annotations.picture_files import list_folders
from pixelwise.datasets.annotations.rasterize import (
    Shape,
    classes_to_declare,
    map_classes,
)
from pixelwise.datasets.annotations.thin_outlines import find_polygons
from pixelwise.datasets.annotations.yolo_files import (
    YoloFiles,
    find_files,
    may_hold_labels,
    usual_label_folders,
)
from pixelwise.datasets.annotations.yolo_labels import LabelFile, holds_labels, read_label_file
from pixelwise.datasets.annotations.yolo_names import (
    compare_yaml,
    find_name_lists,
    find_yaml,
    is_name_list,
    read_names,
)
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue, describe_tolerated
from pixelwise.datasets.types import DataOptions, DataSet, first
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, oriented_size
from pixelwise.io.text import list_files

LAYOUT = (
    "data.yaml with names (or classes.txt), images/train and labels/train (YOLO), or train/images "
    "and train/labels"
)


def matches(root: Path) -> bool:
    """Whether a YAML file or a list of names lies at `root` beside text files of labels.

    A list of names alone serves other formats as well: then a file must hold a polygon or a box,
    and no mask may lie beside it.
    """
    if find_yaml(root) is not None:
        return any(may_hold_labels(path, root) for path in _text_files(root))
    if not find_name_lists(_name_folders(root)):
        return False
    texts = (path for path in _text_files(root) if not is_name_list(path))
    return any(holds_labels(path) for path in texts) and not holds_mask_pictures(root)


def _text_files(root: Path) -> Iterable[Path]:
    """Text files in folders at most two beneath `root`, those in labels/ first."""
    for folder in dict.fromkeys((*usual_label_folders(root), *list_folders(root, 2))):
        yield from list_files(folder, (".txt",))


def _name_folders(root: Path) -> list[Path]:
    return [root, *usual_label_folders(root)]


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a YOLO set; its names come after a background.

    Raises DataError for what `index` refuses, and for its first issue that stops a training.
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The files of a YOLO set. An image without label file is background, which a note says; boxes
    among polygons are left out.

    Raises DataError where there are no names or no label files, and for a set of boxes alone or of
    poses.
    """
    source = find_yaml(root)
    lists = find_name_lists(_name_folders(root))
    if source is None and not lists:
        raise DataError(f"{root}: not a YOLO set; it needs {LAYOUT}")
    names = read_names(source or lists[0], lists)
    if source is not None:
        compare_yaml(names, root)
    if "kpt_shape" in names.content:
        raise DataError(f"{source}: kpt_shape is of a data set of poses; export polygons")
    files = find_files(root, source or lists[0], names.content)
    contents: list[LabelFile] = []
    records = dict[Path, bytes]()
    for image in dict.fromkeys(path for paths in files.images.values() for path in paths):
        content, record = _read_record(files.labels.get(image))
        records[image] = record
        contents += [content] if content else []
    if not contents and not files.without_image:
        raise DataError(f"{root}: not a YOLO set, as it has no label files; it needs {LAYOUT}")
    _check_not_boxes_alone(root, contents)
    class_names = names.complete([label for content in contents for label in content.labels])
    issues = [*names.issues, *files.issues, *_list_unpaired(files, options)]
    for content in contents:
        issues += _list_faults(content, class_names, options)
    mapping = map_classes([(name, None) for name in class_names], names.path)
    sources = [path for path in (source, names.path, *files.labels.values()) if path is not None]
    return build_index(
        "yolo",
        root,
        AnnotationReader(records, partial(parse_annotation, class_names), mapping, by_area=True),
        files.images,
        sources=list(dict.fromkeys(sources)),
        notes=[names.path.name, *describe_tolerated(issues), *_describe_outside(contents)],
        issues=issues,
    )


def _read_record(path: Path | None) -> tuple[LabelFile | None, bytes]:
    """What a label file holds, and the polygons packed; in their place a text where a line cannot
    be read.
    """
    if path is None:
        return None, pack_record([])
    content, polygons = read_label_file(path)
    for line, _, reason in content.faults:
        return content, pack_record(f"{path.name}, line {line}: {reason}")
    return content, pack_record(polygons)


def _check_not_boxes_alone(root: Path, contents: Sequence[LabelFile]) -> None:
    boxes = sum(len(content.boxes) for content in contents)
    if boxes and not any(content.labels for content in contents):
        raise DataError(
            f"{root}: all {boxes} labels are boxes (class x y width height), a data set for "
            "detection; segmentation needs outlines (class x y x y ...): export polygons"
        )


def _list_unpaired(files: YoloFiles, options: DataOptions) -> list[Issue]:
    """Label files without image, and images without label file."""
    issues = []
    if files.without_image:
        names = first(path.name for path in files.without_image)
        refusal = (
            f"{files.without_image[0].parent}: {len(files.without_image)} label files without "
            f"image: {names}; add the images, or leave them out with --skip-unpaired"
        )
        if options.skip_unpaired:
            refusal = ""
        for path in files.without_image:
            text = f"no image called {path.stem}"
            issues.append(Issue("mask-without-image", path, text, refusal=refusal))
    issues += [Issue("annotations-unread", path, "holds no labels") for path in files.ignored]
    images = (path for of_split in files.images.values() for path in of_split)
    for path in (path for path in dict.fromkeys(images) if path not in files.labels):
        issues.append(Issue("image-unlabelled", path, f"no {path.stem}.txt", image=path))
    return issues


def _list_faults(content: LabelFile, names: Sequence[str], options: DataOptions) -> Iterable[Issue]:
    """An issue for each line that cannot be read, for classes without name, and one for boxes."""
    advice = "correct it, or train without the image: --skip-broken"
    faults = [("annotation-malformed", *fault) for fault in content.faults]
    for label, line in content.labels.items():
        if not 0 <= label < len(names):
            reason = f"class {label}, but the names are 0 to {len(names) - 1}"
            faults.append(("class-unlisted", line, 1, reason))
    for type, line, column, reason in sorted(faults, key=lambda fault: fault[1]):
        refusal = f"{content.path}: line {line}: {reason}; {advice}"
        if options.skip_broken:
            refusal = ""
        yield Issue(type, content.path, f"line {line}: {reason}", (line, column), refusal=refusal)
    if content.boxes:
        count = len(content.boxes)
        text = f"line {content.boxes[0]}: a box, no polygon"
        if count > 1:
            text = f"{count} boxes, the first in line {content.boxes[0]}"
        yield Issue("box-left-out", content.path, text, (content.boxes[0], 1), count)


def _describe_outside(contents: Iterable[LabelFile]) -> list[str]:
    """A line on polygons that are cut at the border, for training; check counts them itself."""
    names = [content.path.name for content in contents if content.reaches_out]
    if not names:
        return []
    return [f"polygons reach outside their image and are cut at its border, in {first(names)}"]


def parse_annotation(
    names: Sequence[str], record: Any, image: Path, labels: Mapping[str, int]
) -> ImageAnnotation:
    """Size of the image, and its polygons of the classes `names`. A text in place of a record says
    why there is none.
    """
    if isinstance(record, str):
        raise DataError(record)
    height, width = oriented_size(image)
    scale = np.array((width, height))
    shapes = []
    for number, coordinates in record:
        if not 0 <= number < len(names):
            raise DataError(f"class {number} has no name")
        shapes.append(Shape(labels[names[number]], [to_points(coordinates) * scale]))
    return ImageAnnotation((height, width), shapes)


def write(path: Path, labels: Array, classes: Classes, *, tolerance: float = 0.0) -> None:
    """Write labels (H, W) as a text file of polygons along the edges of pixels, thinned as in
    `find_polygons`, holes joined to the outline.
    """
    declared = classes_to_declare(classes, void=True)
    numbers = {name: number for number, (name, *_) in enumerate(declared)}
    scale = np.array(labels.shape[::-1])
    lines = []
    for name, _, rings in find_polygons(labels, classes, tolerance):
        coordinates = (join_holes(rings) / scale).ravel()
        words = [str(numbers[name]), *(f"{value:.8g}" for value in coordinates)]
        lines.append(" ".join(words) + "\n")
    write_text(path, "".join(lines))


def write_names(path: Path, splits: Sequence[str], classes: Classes, *, void: bool) -> None:
    """Write data.yaml."""
    names = dict(enumerate(name for name, *_ in classes_to_declare(classes, void=void)))
    folders = {split: f"images/{split}" for split in splits}
    content = {"path": ".", **folders, "names": names}
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
