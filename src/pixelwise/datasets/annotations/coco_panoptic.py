"""COCO's panoptic segments: a PNG of segment ids for each image, and a JSON file that says which
category each segment is.

Source: Kirillov et al., Panoptic Segmentation, 2019, and COCO's data format: the id of a pixel is
R + 256 G + 65536 B, and 0 belongs to no segment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from pixelwise.classes import VOID, Colour
from pixelwise.datasets.annotations.coco_content import (
    Category,
    CocoContent,
    Id,
    list_unlisted_annotations,
    parse_id,
    read_header,
)
from pixelwise.datasets.annotations.coco_files import CocoFile
from pixelwise.datasets.annotations.image_annotations import (
    AnnotationReader,
    ImageAnnotation,
    name_file_in_errors,
    pack_record,
    size_of,
    unpack_record,
)
from pixelwise.datasets.annotations.match_images import NamedImage
from pixelwise.datasets.annotations.rasterize import Shape, map_classes
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.types import first
from pixelwise.errors import DataError
from pixelwise.io.images import open_image
from pixelwise.io.text import is_side_file

_OVERLAP_NOTE = "each pixel is of one segment; pixels of none (0 in the PNG) are void"


def read_panoptic(file: CocoFile, root: Path, folders: tuple[Path, ...]) -> CocoContent:
    """Read a file of panoptic segments whose images are looked for in `folders` first; a record
    begins with the image's PNG.

    Images without segments or without PNG are issues that training refuses. Raises DataError for a
    file that is not laid out as COCO.
    """
    path = file.path
    places = _mask_folders(path, root)
    images = []
    missing = []
    with name_file_in_errors(path):
        header = read_header(file)
        segments, used, issues = _read_segments(file.content["annotations"], header.names, path)
        issues += header.issues
        names = {number: category.name for number, category in header.categories.items()}
        for number, entries in header.names.items():
            mask_name, rows = segments.get(number, (f"{Path(entries[0]).stem}.png", None))
            mask = _find_mask(mask_name, places)
            if rows is None or mask is None:
                missing.append(mask_name)
                continue
            known = [[id, names[kind], crowd] for id, kind, crowd in rows if kind in names]
            record = pack_record([str(mask), *header.sizes[number], known])
            images += [NamedImage(name, path, record, file.split, folders) for name in entries]
    issues += _list_without_mask(missing, path, places)
    issues += _list_unknown_categories(used - header.categories.keys(), path)
    categories = tuple(header.categories.values())
    return CocoContent(path, categories, images, used, issues, panoptic=True)


def _mask_folders(path: Path, root: Path) -> list[Path]:
    """Where the PNGs of an annotation file may lie: in a folder of its name, or beside it."""
    names = (path.stem, f"panoptic_{path.stem}", "panoptic")
    bases = (path.parent, root, root / "annotations")
    folders = [base / name for base in bases for name in names]
    return list(dict.fromkeys((*folders, path.parent)))


def _find_mask(name: str, folders: Sequence[Path]) -> Path | None:
    parts = name.replace("\\", "/").split("/")
    if ".." in parts:
        return None
    paths = (folder.joinpath(*parts) for folder in folders)
    return next((path for path in paths if path.is_file() and not is_side_file(path)), None)


Segments = dict[Id, tuple[str, list[tuple[int, Id, int]]]]
"""By image id the name of its PNG, and (segment id, category id, 1 for a crowd)."""


def _read_segments(
    annotations: Sequence[Any], images: Mapping[Id, object], path: Path
) -> tuple[Segments, set[Id], list[Issue]]:
    segments: Segments = {}
    used: set[Id] = set()
    issues: list[Issue] = []
    for annotation in annotations:
        image = parse_id(annotation["image_id"])
        name = str(annotation["file_name"])
        if image not in images:
            unlisted = {("image", annotation["image_id"]): [name]}
            issues += list_unlisted_annotations(unlisted, path)
            continue
        if image in segments:
            text = f"image id {image} has the segments of {segments[image][0]} and of {name}"
            refusal = f"{path}: {text}; keep one of them"
            issues.append(Issue("annotations-twice", path, text, refusal=refusal))
            continue
        rows = [
            (int(segment["id"]), parse_id(segment["category_id"]), int(segment.get("iscrowd") or 0))
            for segment in annotation["segments_info"]
        ]
        used |= {category for _, category, _ in rows}
        segments[image] = (name, rows)
    return segments, used, issues


def _list_without_mask(
    names: Sequence[str], path: Path, folders: Sequence[Path]
) -> Iterator[Issue]:
    if not names:
        return
    text = f"{len(names)} images have no PNG of segments: {first(names)}"
    refusal = f"{path}: {text}; put them in {folders[0]}/"
    archive = folders[0].with_name(f"{folders[0].name}.zip")
    if archive.is_file():
        refusal = f"{path}: {text}; unpack {archive.name} beside it"
    yield Issue("list-entry-missing", path, text, count=len(names), refusal=refusal)


def _list_unknown_categories(numbers: Iterable[Id], path: Path) -> Iterator[Issue]:
    for number in sorted(numbers, key=str):
        text = f"segments are of category {number}, which is not listed"
        refusal = f"{path}: {text}; list it, or remove them"
        yield Issue("class-unlisted", path, text, refusal=refusal)


def panoptic_reader(
    records: Mapping[Path, bytes], categories: Sequence[Category], source: Path
) -> AnnotationReader:
    """Labels by the PNGs of `records`, which are by image; pixels of no segment are void."""
    rows: list[tuple[str, Colour | None]] = [(c.name, c.colour) for c in categories]
    # `map_classes` puts a background before the classes, where no name says that none is meant.
    mapping = map_classes([*rows, ("unlabelled", None)], source)
    names = mapping.classes.names
    note = f"{len(names)} classes: {first(names)}; what no segment covers is void"
    return AnnotationReader(
        {_mask_of(record): record for record in records.values()},
        parse_panoptic,
        replace(mapping, uncovered=VOID, note=note),
        overlap_note=_OVERLAP_NOTE,
    )


def _mask_of(record: bytes) -> Path:
    return Path(unpack_record(record)[0])


def pair_masks(index: Index, records: Mapping[Path, bytes]) -> Index:
    """The index with each image's PNG for its mask."""
    splits = {
        split: tuple(replace(pair, mask=_mask_of(records[pair.image])) for pair in pairs)
        for split, pairs in index.splits.items()
    }
    return replace(index, splits=splits)


def parse_panoptic(record: Any, mask: Path, labels: Mapping[str, int]) -> ImageAnnotation:
    """Size and segments of the PNG `mask`. Raises DataError for a segment that its record does not
    list, and for a PNG of another kind or size.
    """
    _, height, width, rows = record
    size = size_of(mask, height, width)
    ids = _read_ids(mask)  # (H, W)
    if ids.shape != size:
        raise DataError(
            f"has {ids.shape[0]} x {ids.shape[1]} pixels, but its annotation {size[0]} x {size[1]} "
            "(height x width)"
        )
    listed = {int(id): (str(name), bool(crowd)) for id, name, crowd in rows}
    for number in np.unique(ids).tolist():
        if number and number not in listed:
            row, column = np.argwhere(ids == number)[0].tolist()
            raise DataError(
                f"segment {number} at row {row}, column {column} is not in segments_info; export "
                "the JSON file and the PNGs again, together"
            )
    return ImageAnnotation(size, list(_find_segments(ids, listed, labels)))


def _find_segments(
    ids: NDArray[np.uint32], listed: Mapping[int, tuple[str, bool]], labels: Mapping[str, int]
) -> Iterator[Shape]:
    """A shape for each segment that is listed: (name, whether it is a crowd) by id."""
    values, numbered = np.unique(ids, return_inverse=True)
    places = find_objects(numbered.reshape(ids.shape) + 1)
    by_id = dict(zip(values.tolist(), places, strict=True))
    for number, (name, crowd) in listed.items():
        if number not in by_id:
            yield Shape(labels[name])
            continue
        rows, columns = by_id[number]
        bits = (rows.start, columns.start, ids[rows, columns] == number)
        yield Shape(labels[name], bits=bits, crowd=crowd)


def _read_ids(path: Path) -> NDArray[np.uint32]:
    """(H, W) ids of segments."""
    image = open_image(path)
    if image.mode not in ("RGB", "RGBA"):
        raise DataError(f"is of mode {image.mode}; ids of segments are in red, green and blue")
    channels = np.asarray(image)[..., :3].astype(np.uint32)  # (H, W, 3)
    ids: NDArray[np.uint32] = channels @ np.array((1, 256, 65536), np.uint32)
    return ids
