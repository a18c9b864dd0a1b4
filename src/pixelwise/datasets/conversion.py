"""A data set of any format written in another, image by image; the source is only read."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pixelwise.classes import VOID, Classes, voc_colormap
from pixelwise.datasets.annotations import coco, cvat, labelme, supervisely, yolo
from pixelwise.datasets.annotations.rasterize import declared, drawing_of
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first
from pixelwise.errors import ConfigError, DataError, ImageError, unknown_choice_error
from pixelwise.io.atomic import atomic_folder, write_text
from pixelwise.io.images import Array, oriented_size, write_labels
from pixelwise.progress import Progress


@dataclass
class Converted:
    """What became of a set: where it is, images by split, images left out with the reason, classes;
    and by image shapes that reached over its border, shapes without a pixel, and pixels that shapes
    of two classes claimed.
    """

    folder: Path
    classes: Classes
    images: Counter[str] = field(default_factory=Counter)
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    clipped: Counter[str] = field(default_factory=Counter)
    blank: Counter[str] = field(default_factory=Counter)
    overlapped: Counter[str] = field(default_factory=Counter)
    void: bool = False

    def lines(self) -> list[str]:
        """For the user, one fact a line."""
        losses = [
            (self.clipped, "shapes reached over the image's border and were cut there"),
            (self.blank, "shapes have no pixel (lines, points, or too small) and are gone"),
            (self.overlapped, "pixels were in shapes of two classes"),
        ]
        lines = [
            f"{counts.total():,} {what}: in {first(sorted(+counts))}"
            for counts, what in losses
            if counts.total()
        ]
        splits = ", ".join(f"{split} {count:,}" for split, count in self.images.items())
        return [f"{self.folder}: {splits} images, {len(self.classes)} classes", *lines]


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
    format: str = "auto",
    skip_unpaired: bool = False,
    progress: Progress | None = None,
) -> Converted:
    """Write the data set `source` to the new folder `folder` in the format `to`, all of it or
    nothing.

    Splits stay as they are. Images whose labels cannot be read, or have another size, are left out
    and named. Raises ConfigError for a format that cannot be written, OutputError for a folder that
    cannot be, and DataError for a source that cannot be opened or of which nothing is left.
    """
    if to not in WRITERS:
        raise _unwritable(to)
    progress = progress or Progress()
    dataset = open_dataset(
        source, DataOptions(format=format, skip_unpaired=skip_unpaired, hold_out=False)
    )
    for note in dataset.notes:
        progress.log(note)
    return write_dataset(dataset, Path(folder), to=to, progress=progress)


def write_dataset(dataset: DataSet, folder: Path, *, to: str, progress: Progress) -> Converted:
    """As `convert`, of an open data set and a format of WRITERS."""
    converted = Converted(folder, dataset.classes)
    place, write = WRITERS[to]
    with atomic_folder(folder, dataset.root) as stage:
        write(stage, _items(dataset, stage, place, converted, progress), converted)
        if not converted.images:
            raise DataError(
                f"{dataset.root}: no image can be converted: {converted.left_out[0][1]}"
            )
    return converted


def _unwritable(to: str) -> ConfigError:
    fixed = {"cityscapes", "cityscapes-all", "ade20k", "camvid"}
    if to in fixed:
        return ConfigError(
            f"{to} stands for a fixed list of classes and is not written; choose folder"
        )
    if to == "matte":
        return ConfigError("matte holds an alpha, which labels do not have; choose folder")
    return unknown_choice_error("format to write", to, WRITERS)


def _items(
    dataset: DataSet, stage: Path, place: str, converted: Converted, progress: Progress
) -> Iterator[_Item]:
    pairs = [(split, pair) for split, pairs in dataset.splits.items() for pair in pairs]
    names = Counter(pair.name for _, pair in pairs)
    for split, pair in progress.track(pairs, what="converting", total=len(pairs)):
        try:
            labels = _labels(dataset, pair, converted)
        except ImageError as error:
            converted.left_out.append((pair.image, str(error)))
            continue
        name = f"{split}_{pair.name}" if names[pair.name] > 1 else pair.name
        image = stage / place.format(split=split) / f"{name}{pair.image.suffix}"
        image.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pair.image, image)
        converted.images[split] += 1
        converted.void |= bool((labels == VOID).any())
        yield _Item(split, image, labels)


def _labels(dataset: DataSet, pair: Pair, converted: Converted) -> Array:
    drawing = drawing_of(dataset.read_labels, pair.mask)
    size = oriented_size(pair.image)
    if drawing.labels.shape != size:
        raise ImageError(
            f"{pair.image}: {size} pixels, but its labels have {drawing.labels.shape} "
            "(height, width)"
        )
    converted.clipped[pair.name] += drawing.clipped
    converted.blank[pair.name] += drawing.blank
    converted.overlapped[pair.name] += drawing.overlapped
    return drawing.labels


def _palette(classes: Classes) -> Classes:
    """Colours that differ: where masks are read by them, two alike would be one class."""
    alike = len(set(classes.palette)) < len(classes)
    return Classes(classes.names, voc_colormap(len(classes))) if alike else classes


def _folder(stage: Path, items: Iterable[_Item], converted: Converted) -> None:
    classes = _palette(converted.classes)
    for item in items:
        write_labels(
            stage / "masks" / item.split / f"{item.image.stem}.png", item.labels, classes.palette
        )
    rows: list[dict[str, object]] = [
        {"id": label, "name": name, "color": colour}
        for label, (name, colour) in enumerate(zip(classes.names, classes.palette, strict=True))
    ]
    rows += [{"id": VOID, "name": "void"}] if converted.void and "void" not in classes.names else []
    write_text(stage / "classes.json", json.dumps(rows, indent=1) + "\n")


def _voc(stage: Path, items: Iterable[_Item], converted: Converted) -> None:
    classes = _palette(converted.classes)
    for split, group in groupby(items, key=_split):
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


def _coco(stage: Path, items: Iterable[_Item], converted: Converted) -> None:
    for split, group in groupby(items, key=_split):
        path = stage / "annotations" / f"instances_{split}.json"
        coco.write(path, ((item.image.name, item.labels) for item in group), converted.classes)


def _labelme(stage: Path, items: Iterable[_Item], converted: Converted) -> None:
    for item in items:
        labelme.write(item.image.with_suffix(".json"), item.image, item.labels, converted.classes)
    names = [name for name, *_ in declared(converted.classes, void=converted.void)]
    write_text(stage / "labels.txt", "\n".join(names) + "\n")


def _cvat(stage: Path, items: Iterable[_Item], converted: Converted) -> None:
    rows = ((item.image, item.labels, item.split) for item in items)
    cvat.write_subsets(stage / "annotations.xml", rows, converted.classes)


def _yolo(stage: Path, items: Iterable[_Item], converted: Converted) -> None:
    for item in items:
        yolo.write(
            stage / "labels" / item.split / f"{item.image.stem}.txt", item.labels, converted.classes
        )
    yolo.write_names(
        stage / "data.yaml", list(converted.images), converted.classes, void=converted.void
    )


def _supervisely(stage: Path, items: Iterable[_Item], converted: Converted) -> None:
    for item in items:
        path = stage / item.split / "ann" / f"{item.image.name}.json"
        supervisely.write(path, item.labels, converted.classes)
    supervisely.write_meta(stage / "meta.json", converted.classes, void=converted.void)


def _split(item: _Item) -> str:
    return item.split


WRITERS: dict[str, tuple[str, Callable[[Path, Iterable[_Item], Converted], None]]] = {
    "folder": ("images/{split}", _folder),
    "voc": ("JPEGImages", _voc),
    "coco": ("images/{split}", _coco),
    "labelme": ("{split}", _labelme),
    "cvat": ("images", _cvat),
    "yolo": ("images/{split}", _yolo),
    "supervisely": ("{split}/img", _supervisely),
}
"""Where images go, and what writes the labels, by format."""
