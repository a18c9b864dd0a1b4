"""Pictures that are too large to be painted on whole, in parts that are photos of their own."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.errors import ImageError
from pixelwise.inference.raster import reads_by_window
from pixelwise.inference.raster_files import Target, open_target
from pixelwise.io.atomic import write_text
from pixelwise.io.gdal import open_dataset, quiet_rasterio
from pixelwise.io.images import MAX_PIXELS, pixel_count
from pixelwise.labelling.photos import stamp
from pixelwise.progress import Progress

PART_SIDE = 4096
_STRIP = 256  # rows that are held at once
_CACHE = 64 * 2**20  # bytes of GDAL's cache, by itself a twentieth of the machine's memory

Size = tuple[int, int]


def cut_large(pictures: Iterable[tuple[str, Path]], folder: Path, progress: Progress) -> list[Path]:
    """The files of named pictures, in place of each of more than MAX_PIXELS its parts in `folder`:
    TIFF files with its bands, values and place on the earth, of at most PART_SIDE a side.

    They are cut once, and again when the file has changed. What cannot be read stays as it is, for
    the page to say so. Raises OutputError where the parts cannot be written.
    """
    paths = list[Path]()
    for name, path in pictures:
        try:
            size = _size_if_large(path)
            parts = None if size is None else _cut(path, size, folder / Path(name).stem, progress)
        except ImageError:
            parts = None
        paths += parts or [path]
    return paths


def _size_if_large(path: Path) -> Size | None:
    """(height, width) of a picture of more than MAX_PIXELS."""
    pixels = pixel_count(path)
    if (pixels is not None and pixels <= MAX_PIXELS) or not reads_by_window(path, pixels):
        return None
    with open_dataset(path) as dataset:
        size = (dataset.height, dataset.width)
    return size if size[0] * size[1] > MAX_PIXELS else None


def _cut(path: Path, size: Size, folder: Path, progress: Progress) -> list[Path]:
    """The parts of a picture, written unless they are there."""
    edges = [np.linspace(0, side, -(-side // PART_SIDE) + 1).astype(int).tolist() for side in size]
    rows, columns = (list(pairwise(side)) for side in edges)
    parts = [
        [folder / f"{folder.name}_{row}_{column}.tif" for column in range(1, len(columns) + 1)]
        for row in range(1, len(rows) + 1)
    ]
    flat = [part for line in parts for part in line]
    record = folder / "source.json"
    source = {"path": str(path.resolve()), "stamp": list(stamp(path)), "parts": len(flat)}
    if _read_record(record) == source and all(part.is_file() for part in flat):
        return flat
    height, width = (max(end - start for start, end in side) for side in (rows, columns))
    progress.log(
        f"{path.name}: {size[0]} x {size[1]} pixels are more than can be painted on at once: cut "
        f"into {len(flat)} parts of up to {height} x {width} in {folder}"
    )
    with quiet_rasterio().Env(GDAL_CACHEMAX=_CACHE), open_dataset(path) as dataset:
        lines = list(zip(rows, parts, strict=True))
        for line, files in progress.track(lines, what="cutting", total=len(lines), unit="rows"):
            _write_line(dataset, line, columns, files)
    write_text(record, json.dumps(source))
    return flat


def _read_record(path: Path) -> object:
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None


def _write_line(dataset: Any, line: Size, columns: list[Size], files: list[Path]) -> None:
    """Write the parts side by side in the rows `line` of an open raster, in strips of its width:
    what is stored row by row, as JPEG is, is read once.
    """
    rasterio = quiet_rasterio()
    # an internal mask or one beside the file: nodata and alpha go with the values
    has_mask = dataset.mask_flag_enums[0] == [rasterio.enums.MaskFlags.per_dataset]
    with ExitStack() as stack:
        targets = [
            stack.enter_context(_open_part(dataset, line, span, file))
            for span, file in zip(columns, files, strict=True)
        ]
        for top in range(line[0], line[1], _STRIP):
            rows = (top, min(top + _STRIP, line[1]))
            across = (rows, (0, dataset.width))
            values = dataset.read(window=across)  # (bands, h, W)
            mask = dataset.dataset_mask(window=across) if has_mask else None
            for target, (start, end) in zip(targets, columns, strict=True):
                target.write(values[:, :, start:end])
                if mask is not None:
                    window = ((rows[0] - line[0], rows[1] - line[0]), (0, end - start))
                    target.dataset.write_mask(mask[:, start:end], window=window)


@contextmanager
def _open_part(dataset: Any, rows: Size, columns: Size, path: Path) -> Iterator[Target]:
    """The part of an open raster as a TIFF to write from its top; renamed to `path` when it is
    whole.
    """
    kinds = [kind.name for kind in dataset.colorinterp]
    shift = quiet_rasterio().Affine.translation(columns[0], rows[0])
    profile = {
        "width": columns[1] - columns[0],
        "height": rows[1] - rows[0],
        "count": dataset.count,
        "dtype": dataset.dtypes[0],
        "nodata": dataset.nodata,
        "photometric": "rgb" if kinds[:3] == ["red", "green", "blue"] else "minisblack",
        "crs": dataset.crs,
        "transform": None if dataset.transform.is_identity else dataset.transform * shift,
        # those of the whole would be wrong here
        "gcps": None,
        "rpcs": None,
    }
    with (
        quiet_rasterio().Env(GDAL_TIFF_INTERNAL_MASK=True),
        open_target(path, dataset, profile, is_part=True) as target,
    ):
        _describe_bands(dataset, target.dataset)
        yield target


def _describe_bands(dataset: Any, part: Any) -> None:
    part.colorinterp = dataset.colorinterp
    for band, text in zip(dataset.indexes, dataset.descriptions, strict=True):
        if text:
            part.set_band_description(band, text)
    if dataset.colorinterp[0].name == "palette":
        part.write_colormap(1, dataset.colormap(1))
