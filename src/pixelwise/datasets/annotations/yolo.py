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
    Figure,
    RecordReader,
    dataset,
    packed,
    points,
    reading,
)
from pixelwise.datasets.annotations.polygons import keyhole
from pixelwise.datasets.annotations.rasterize import Shape, declared, legend, regions
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
    found = [path for path in sorted(root.glob("*.y*ml")) if b"names:" in path.read_bytes()]
    return next((path for path in found if path.stem == "data"), found[0] if found else None)


def _folders(root: Path) -> dict[str, tuple[Path, Path]]:
    """Folders of images and of labels by split: where YOLO itself looks, with `images` put for
    `labels` in the path.
    """
    if (root / "images").is_dir():
        splits = split_folders(root / "images") or {"train": root / "images"}
        found = {
            split: (path, root / "labels" / path.relative_to(root / "images"))
            for split, path in splits.items()
        }
    else:
        found = {
            split: (path / "images", path / "labels") for split, path in split_folders(root).items()
        }
    return {split: both for split, both in found.items() if next(both[1].glob("*.txt"), None)}


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a YOLO set; its names come after a background. An image without text file is background,
    and said.

    Raises DataError for YAML that cannot be read (with the place), lines that are no polygon,
    unknown class numbers and text files without image (unless `skip_unpaired`).
    """
    source = _source(root)
    folders = _folders(root)
    if source is None or not folders:
        raise DataError(f"{root}: not a YOLO set; it needs {LAYOUT}")
    names = _names(source)
    records = dict[Path, bytes]()
    splits = dict[str, list[Path]]()
    notes = [f"{source.name}"]
    sources = [source]
    for split, (images, labels) in folders.items():
        files = {path.stem: path for path in sorted(labels.glob("*.txt"))}
        found = images_in(images)
        lone = sorted(files.keys() - {path.stem for path in found})
        if lone:
            what = f"{len(lone)} label files without image in {labels}: {first(lone)}"
            if not options.skip_unpaired:
                raise DataError(f"{what}; add the images, or leave them out with --skip-unpaired")
            notes.append(IssueNote.of(f"left out: {what}", "mask-without-image", labels))
        bare = [path.name for path in found if path.stem not in files]
        notes += (
            [f"{split}: {len(bare)} images without label file are background: {first(bare)}"]
            if bare
            else []
        )
        for path in found:
            records[path] = packed(_rows(files[path.stem], names) if path.stem in files else [])
        splits[split] = found
        sources += files.values()
    reader = RecordReader(
        records, figure, legend([(name, None) for name in names], source), by_area=True
    )
    return dataset("yolo", root, reader, splits, options=options, sources=sources, notes=notes)


def _names(source: Path) -> list[str]:
    try:
        with reading(source):
            names = yaml.safe_load(source.read_bytes())["names"]
            rows = (
                names
                if isinstance(names, list)
                else [names[number] for number in range(len(names))]
            )
            return [str(name) for name in rows]
    except yaml.YAMLError as error:
        raise DataError(
            f"{source}: malformed YAML: {' '.join(str(error).split())}; mend it"
        ) from error


def _rows(path: Path, names: Sequence[str]) -> list[list[Any]]:
    rows = []
    for number, line in enumerate(
        path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
    ):
        words = line.split()
        if not words:
            continue
        try:
            at = int(words[0])
            coordinates = [float(word) for word in words[1:]]
        except ValueError as error:
            raise DataError(
                f"{path}: line {number}: {error}; allowed are a class number and coordinates"
            ) from error
        if not 0 <= at < len(names):
            raise DataError(
                f"{path}: line {number}: class {at}, but the names are 0 to {len(names) - 1}"
            )
        if len(coordinates) < 6 or len(coordinates) % 2:
            what = (
                "a box, not a polygon"
                if len(coordinates) == 4
                else f"{len(coordinates)} coordinates"
            )
            raise DataError(
                f"{path}: line {number}: {what}; a polygon has x and y of three corners or more"
            )
        rows.append([names[at], coordinates])
    return rows


def figure(record: Any, image: Path, labels: Mapping[str, int]) -> Figure:
    """Size of the image, and its polygons."""
    height, width = oriented_size(image)
    scale = np.array((width, height))
    return (height, width), [Shape(labels[name], [points(flat) * scale]) for name, flat in record]


def write(path: Path, labels: Array, classes: Classes) -> None:
    """Write labels (H, W) as a text file of polygons along the edges of pixels, holes joined to the
    outline.
    """
    numbers = {name: at for at, (name, *_) in enumerate(declared(classes, void=True))}
    lines = []
    scale = np.array(labels.shape[::-1])
    for name, _, rings in regions(labels, classes):
        flat = (keyhole(rings) / scale).ravel()
        lines.append(" ".join([str(numbers[name]), *(f"{value:.8g}" for value in flat)]) + "\n")
    write_text(path, "".join(lines))


def write_names(path: Path, splits: Sequence[str], classes: Classes, *, void: bool) -> None:
    """Write data.yaml."""
    names = dict(enumerate(name for name, *_ in declared(classes, void=void)))
    places = {split: f"images/{split}" for split in splits}
    write_text(
        path,
        yaml.safe_dump(
            {"path": ".", **places, "names": names}, sort_keys=False, allow_unicode=True
        ),
    )
