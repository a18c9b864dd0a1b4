"""A data set of any format written in another, image by image; the source is only read."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.annotations import (
    coco,
    cvat,
    geojson,
    labelme,
    supervisely,
    write_labelstudio,
    yolo,
)
from pixelwise.datasets.annotations.rasterize import classes_to_declare, read_rasterized
from pixelwise.datasets.class_json import encode_json
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.options import check_tolerance
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first
from pixelwise.errors import ConfigError, DataError, ImageError, unknown_choice_error
from pixelwise.io.atomic import atomic_folder, write_text
from pixelwise.io.images import Array, oriented_size, write_labels
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress


@dataclass
class Converted:
    """What became of a set. Counters are by image name."""

    folder: Path
    """Where it is."""

    classes: Classes
    """Of the source."""

    images: Counter[str] = field(default_factory=Counter)
    """Images by split."""

    left_out: list[tuple[Path, str]] = field(default_factory=list)
    """Images left out, with the reason."""

    clipped: Counter[str] = field(default_factory=Counter)
    """Shapes that reached over the image's border."""

    blank: Counter[str] = field(default_factory=Counter)
    """Shapes without a pixel."""

    overlapped: Counter[str] = field(default_factory=Counter)
    """Pixels that shapes of two classes claimed."""

    void: bool = False
    """Whether any pixel is void."""

    tolerance: float = 0.0
    """Pixels by which outlines may leave the edges of pixels."""

    model: str | None = None
    """The model that made the labels, where nobody has corrected them yet."""

    def lines(self) -> list[str]:
        """For the user, one fact a line."""
        counters = (
            (self.clipped, "shapes reached over the image's border and were cut there"),
            (self.blank, "shapes have no pixel (lines, points, or too small) and are gone"),
            (self.overlapped, "pixels were in shapes of two classes"),
        )
        facts = [
            f"{counts.total():,} {what}: in {first(sorted(+counts))}"
            for counts, what in counters
            if counts.total()
        ]
        splits = ", ".join(f"{split} {count:,}" for split, count in self.images.items())
        if self.tolerance:
            facts.append(f"outlines are thinned, by at most {self.tolerance:g} px")
        return [f"{self.folder}: {splits} images, {len(self.classes)} classes", *facts]


@dataclass(frozen=True)
class _Item:
    """An image, copied to its place already, and its labels."""

    split: str
    image: Path
    labels: Array


def convert(
    source: str | Path,
    folder: str | Path,
    *,
    to: str,
    polygon_tolerance: float = 0.0,
    progress: Progress | None = None,
    **reading: Any,
) -> Converted:
    """Write the data set `source` to the new folder `folder` in the format `to`, all of it or
    nothing.

    Splits stay as they are. Images whose labels cannot be read, or have another size, are left out
    and named. Polygons leave their regions by at most `polygon_tolerance` pixels. `reading` are
    fields of DataOptions, such as skip_unpaired=True. Raises ConfigError for an unknown one, for a
    format that cannot be written, and for a tolerance below 0 or where there are no polygons,
    OutputError for a folder that cannot be, and DataError for a source that cannot be opened or of
    which nothing is left.
    """
    if to not in WRITERS:
        raise _unwritable_error(to)
    check_tolerance(polygon_tolerance, to)
    progress = progress or default_progress()
    options = DataOptions.of(reading)
    dataset = open_dataset(source, replace(options, hold_out=False))
    for note in dataset.notes:
        progress.log(note)
    return write_dataset(
        dataset, Path(folder), to=to, polygon_tolerance=polygon_tolerance, progress=progress
    )


def write_dataset(
    dataset: DataSet,
    folder: Path,
    *,
    to: str,
    polygon_tolerance: float = 0.0,
    model: str | None = None,
    progress: Progress,
) -> Converted:
    """As `convert`, of an open data set and a format of WRITERS. Labels of a `model` are
    predictions to Label Studio, not annotations.
    """
    result = Converted(folder, dataset.classes, tolerance=polygon_tolerance, model=model)
    image_folder, write = WRITERS[to]
    # what a model labelled lies in its own folder of masks
    with atomic_folder(folder, None if model else dataset.root) as stage:
        write(stage, _convert_images(dataset, stage, image_folder, result, progress), result)
        if not result.images:
            raise DataError(f"{dataset.root}: no image can be converted: {result.left_out[0][1]}")
    return result


def _unwritable_error(to: str) -> ConfigError:
    fixed = {"cityscapes", "cityscapes-all", "ade20k", "camvid"}
    if to in fixed:
        return ConfigError(
            f"{to} stands for a fixed list of classes and is not written; choose folder"
        )
    if to == "matte":
        return ConfigError("matte holds an alpha, which labels do not have; choose folder")
    return unknown_choice_error("format to write", to, WRITERS)


def _convert_images(
    dataset: DataSet, stage: Path, image_folder: str, result: Converted, progress: Progress
) -> Iterator[_Item]:
    """Copy each image whose labels can be read to `image_folder` in `stage`, a template with
    `{split}`.
    """
    pairs = [(split, pair) for split, pairs in dataset.splits.items() for pair in pairs]
    names = Counter(pair.name for _, pair in pairs)
    for split, pair in progress.track(pairs, what="converting", total=len(pairs)):
        try:
            labels = _read_labels(dataset, pair, result)
        except ImageError as error:
            result.left_out.append((pair.image, str(error)))
            continue
        name = f"{split}_{pair.name}" if names[pair.name] > 1 else pair.name
        image = stage / image_folder.format(split=split) / f"{name}{pair.image.suffix}"
        image.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pair.image, image)
        result.images[split] += 1
        result.void |= bool((labels == VOID).any())
        yield _Item(split, image, labels)


def _read_labels(dataset: DataSet, pair: Pair, result: Converted) -> Array:
    mask = read_rasterized(dataset.read_labels, pair.mask)
    size = oriented_size(pair.image)
    if mask.labels.shape != size:
        raise ImageError(
            f"{pair.image}: {size} pixels, but its labels have {mask.labels.shape} (height, width)"
        )
    result.clipped[pair.name] += mask.clipped
    result.blank[pair.name] += mask.blank
    result.overlapped[pair.name] += mask.overlapped
    return mask.labels


def _distinct_colours(classes: Classes) -> Classes:
    """Colours that differ: where masks are read by them, two alike would be one class."""
    repeated = len(set(classes.palette)) < len(classes)
    return Classes.named(classes.names) if repeated else classes


def _write_folder(stage: Path, items: Iterable[_Item], result: Converted) -> None:
    classes = _distinct_colours(result.classes)
    for item in items:
        write_labels(
            stage / "masks" / item.split / f"{item.image.stem}.png", item.labels, classes.palette
        )
    write_text(stage / "classes.json", encode_json(classes, void=result.void))


def _write_voc(stage: Path, items: Iterable[_Item], result: Converted) -> None:
    classes = _distinct_colours(result.classes)
    for split, group in _by_split(items):
        names = []
        for item in group:
            write_labels(
                stage / "SegmentationClass" / f"{item.image.stem}.png", item.labels, classes.palette
            )
            names.append(item.image.stem)
        write_text(stage / "ImageSets/Segmentation" / f"{split}.txt", "\n".join(names) + "\n")
    rows = [
        f"{name}:{r},{g},{b}::"
        for name, (r, g, b) in zip(classes.names, classes.palette, strict=True)
    ]
    write_text(stage / "labelmap.txt", "\n".join(["# label:color_rgb:parts:actions", *rows]) + "\n")


def _write_coco(stage: Path, items: Iterable[_Item], result: Converted) -> None:
    for split, group in _by_split(items):
        path = stage / "annotations" / f"instances_{split}.json"
        rows = ((item.image.name, item.labels) for item in group)
        coco.write(path, rows, result.classes, tolerance=result.tolerance)


def _write_labelme(stage: Path, items: Iterable[_Item], result: Converted) -> None:
    for item in items:
        labelme.write(
            item.image.with_suffix(".json"),
            item.image,
            item.labels,
            result.classes,
            tolerance=result.tolerance,
        )
    _write_names(stage, result)


def _write_names(stage: Path, result: Converted) -> None:
    names = [name for name, *_ in classes_to_declare(result.classes, void=result.void)]
    write_text(stage / "labels.txt", "\n".join(names) + "\n")


def _write_cvat(stage: Path, items: Iterable[_Item], result: Converted) -> None:
    # photos that a model labelled are of no subset, which a task of CVAT need not have
    rows = ((item.image, item.labels, "" if result.model else item.split) for item in items)
    cvat.write_subsets(stage / "annotations.xml", rows, result.classes, tolerance=result.tolerance)


def _write_yolo(stage: Path, items: Iterable[_Item], result: Converted) -> None:
    for item in items:
        path = stage / "labels" / item.split / f"{item.image.stem}.txt"
        yolo.write(path, item.labels, result.classes, tolerance=result.tolerance)
    yolo.write_names(stage / "data.yaml", list(result.images), result.classes, void=result.void)


def _write_supervisely(stage: Path, items: Iterable[_Item], result: Converted) -> None:
    for item in items:
        path = stage / item.split / "ann" / f"{item.image.name}.json"
        supervisely.write(path, item.labels, result.classes)
    supervisely.write_meta(stage / "meta.json", result.classes, void=result.void)


def _write_labelstudio(stage: Path, items: Iterable[_Item], result: Converted) -> None:
    rows = ((item.image.relative_to(stage).as_posix(), item.labels) for item in items)
    write_labelstudio.write(stage / "tasks.json", rows, result.classes, model=result.model)
    write_labelstudio.write_config(stage / "config.xml", result.classes, void=result.void)
    _write_names(stage, result)


def _write_geojson(stage: Path, items: Iterable[_Item], result: Converted) -> None:
    for item in items:
        path = item.image.with_suffix(".geojson")
        geojson.write(path, item.labels, result.classes, tolerance=result.tolerance)
    _write_names(stage, result)


def _by_split(items: Iterable[_Item]) -> Iterator[tuple[str, Iterator[_Item]]]:
    return groupby(items, key=lambda item: item.split)


# By format: where images go, and what writes the labels.
WRITERS: dict[str, tuple[str, Callable[[Path, Iterable[_Item], Converted], None]]] = {
    "folder": ("images/{split}", _write_folder),
    "voc": ("JPEGImages", _write_voc),
    "coco": ("images/{split}", _write_coco),
    "labelme": ("{split}", _write_labelme),
    "cvat": ("images", _write_cvat),
    "yolo": ("images/{split}", _write_yolo),
    "supervisely": ("{split}/img", _write_supervisely),
    "labelstudio": ("images/{split}", _write_labelstudio),
    "geojson": ("{split}", _write_geojson),
}
