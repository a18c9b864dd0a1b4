"""YOLO segmentation: data.yaml, and for each image a text file of polygons, one a line: class x y x
y ..., in 0..1.

Source: Ultralytics' documentation, instance segmentation data sets.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    build_dataset,
    name_file_in_errors,
    pack_record,
    to_points,
)
from pixelwise.datasets.annotations.polygons import join_holes
from pixelwise.datasets.annotations.rasterize import (
    Shape,
    classes_to_declare,
    find_regions,
    map_classes,
)
from pixelwise.datasets.issues import IssueNote
from pixelwise.datasets.splits import split_folders
from pixelwise.datasets.types import DataOptions, DataSet, first, images_in
from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, oriented_size

LAYOUT = (
    "data.yaml with names, images/train and labels/train (YOLO), or train/images and train/labels"
)


def matches(root: Path) -> bool:
    """Whether a YAML file with names lies at `root` beside text files of labels."""
    return _source(root) is not None and bool(_folders(root))


def _source(root: Path) -> Path | None:
    """The file of names: data.yaml, else the first that holds some."""
    files = [path for path in sorted(root.glob("*.y*ml")) if b"names:" in path.read_bytes()]
    return next((path for path in files if path.stem == "data"), files[0] if files else None)


def _folders(root: Path) -> dict[str, tuple[Path, Path]]:
    """Folders of images and of labels by split: where YOLO itself looks, with `images` put for
    `labels` in the path.
    """
    images = root / "images"
    if images.is_dir():
        splits = split_folders(images) or {"train": images}
        folders = {
            split: (path, root / "labels" / path.relative_to(images))
            for split, path in splits.items()
        }
    else:
        splits = split_folders(root)
        folders = {split: (path / "images", path / "labels") for split, path in splits.items()}
    return {
        split: (of_images, of_labels)
        for split, (of_images, of_labels) in folders.items()
        if next(of_labels.glob("*.txt"), None)
    }


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a YOLO set; its names come after a background. An image without text file is background,
    which a note says.

    Raises DataError for YAML that cannot be read (with the place), lines that are no polygon,
    unknown class numbers and text files without image (unless `skip_unpaired`).
    """
    source = _source(root)
    folders = _folders(root)
    if source is None or not folders:
        raise DataError(f"{root}: not a YOLO set; it needs {LAYOUT}")
    names = _read_names(source)
    records = dict[Path, bytes]()
    splits = dict[str, list[Path]]()
    notes = [f"{source.name}"]
    sources = [source]
    for split, (image_folder, label_folder) in folders.items():
        label_files = {path.stem: path for path in sorted(label_folder.glob("*.txt"))}
        images = images_in(image_folder)
        unpaired = sorted(label_files.keys() - {path.stem for path in images})
        if unpaired:
            what = f"{len(unpaired)} label files without image in {label_folder}: {first(unpaired)}"
            if not options.skip_unpaired:
                raise DataError(f"{what}; add the images, or leave them out with --skip-unpaired")
            notes.append(IssueNote.of(f"left out: {what}", "mask-without-image", label_folder))
        bare = [path.name for path in images if path.stem not in label_files]
        if bare:
            notes.append(
                f"{split}: {len(bare)} images without label file are background: {first(bare)}"
            )
        for path in images:
            label_file = label_files.get(path.stem)
            records[path] = pack_record(_read_polygons(label_file, names) if label_file else [])
        splits[split] = images
        sources += label_files.values()
    mapping = map_classes([(name, None) for name in names], source)
    reader = AnnotationReader(records, parse_annotation, mapping, by_area=True)
    return build_dataset(
        "yolo", root, reader, splits, options=options, sources=sources, notes=notes
    )


def _read_names(source: Path) -> list[str]:
    try:
        with name_file_in_errors(source):
            names = yaml.safe_load(source.read_bytes())["names"]
            if not isinstance(names, list):
                names = [names[number] for number in range(len(names))]
            return [str(name) for name in names]
    except yaml.YAMLError as error:
        raise DataError(
            f"{source}: malformed YAML: {' '.join(str(error).split())}; mend it"
        ) from error


def _read_polygons(path: Path, names: Sequence[str]) -> list[list[Any]]:
    """Class name and coordinates of each line."""
    rows = []
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            rows.append(_parse_line(words, names))
        except DataError as error:
            raise DataError(f"{path}: line {number}: {error}") from error
    return rows


def _parse_line(words: list[str], names: Sequence[str]) -> list[Any]:
    try:
        label = int(words[0])
        coordinates = [float(word) for word in words[1:]]
    except ValueError as error:
        raise DataError(f"{error}; allowed are a class number and coordinates") from error
    if not 0 <= label < len(names):
        raise DataError(f"class {label}, but the names are 0 to {len(names) - 1}")
    if len(coordinates) == 4:
        raise DataError("a box, not a polygon; a polygon has x and y of three corners or more")
    if len(coordinates) < 6 or len(coordinates) % 2:
        raise DataError(
            f"{len(coordinates)} coordinates; a polygon has x and y of three corners or more"
        )
    return [names[label], coordinates]


def parse_annotation(record: Any, image: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size of the image, and its polygons."""
    height, width = oriented_size(image)
    scale = np.array((width, height))
    shapes = [Shape(labels[name], [to_points(flat) * scale]) for name, flat in record]
    return ImageAnnotation((height, width), shapes)


def write(path: Path, labels: Array, classes: Classes) -> None:
    """Write labels (H, W) as a text file of polygons along the edges of pixels, holes joined to the
    outline.
    """
    declared = classes_to_declare(classes, void=True)
    numbers = {name: number for number, (name, *_) in enumerate(declared)}
    scale = np.array(labels.shape[::-1])
    lines = []
    for name, _, rings in find_regions(labels, classes):
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
