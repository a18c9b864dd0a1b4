"""Pictures too large for memory, and georeferenced ones: read by window, labelled in strips, written as tiled TIFF.

Needs rasterio (extra `raster`), which reads what GDAL reads.
"""

import importlib
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.errors import ConfigError, ImageError, OutputError
from pixelwise.files import atomic
from pixelwise.images import MAX_PIXELS, Array, pixel_count
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.runners import mirrored
from pixelwise.inference.tiles import STRIP, TilePlan, stream
from pixelwise.monitor import Monitor
from pixelwise.tasks.labels import VOID, read_labels

CACHE_MEBIBYTES = 96
"""GDAL's cache of decoded blocks: a few rows of blocks of a wide picture."""

BLOCK = 512
LOWEST_TILE = 128

_SETTINGS = {"GDAL_CACHEMAX": CACHE_MEBIBYTES, "GDAL_NUM_THREADS": "1"}


@dataclass
class RasterPicture:
    """An open raster as RGB pixels by window. One band is grey; of four the last one, alpha, says where it is valid."""

    path: Path
    dataset: Any

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.dataset.height)

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.dataset.width)

    def __getitem__(self, window: tuple[slice, slice]) -> Array:
        """RGB (h, w, 3) uint8 of a window of rows and columns. Raises ImageError where the file breaks off."""
        rows, columns = window
        bands = [1, 2, 3] if self.dataset.count >= 3 else [1, 1, 1]
        try:
            read = self.dataset.read(bands, window=((rows.start, rows.stop), (columns.start, columns.stop)))
        except Exception as error:  # rasterio's errors share no base class but Exception
            raise ImageError(f"{self.path}: cannot be read from row {rows.start} on ({error}); replace it") from error
        found: Array = np.ascontiguousarray(read.transpose(1, 2, 0))
        return found

    def valid(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_]:
        """Where a window has data, (h, w): by the file's nodata value, alpha band or mask."""
        found: NDArray[np.bool_] = self.dataset.dataset_mask(window=((top, top + height), (left, left + width))) > 0
        return found


@dataclass(frozen=True)
class RasterOutput:
    """What was written: the mask, the confidence where asked, and the pixels of each class, void last."""

    labels: Path
    confidence: Path | None
    pixels: tuple[int, ...]


@contextmanager
def open_raster(path: Path) -> Iterator[RasterPicture]:
    """The raster at `path`. Raises ConfigError without rasterio, ImageError for what it cannot open and for bands that
    are not 1, 3 or 4 of 8 bit.
    """
    rasterio = demand_rasterio()
    with rasterio.Env(**_SETTINGS), warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            dataset = stack.enter_context(rasterio.open(path))
        except Exception as error:
            raise ImageError(f"{path}: cannot be opened as a raster ({error}); replace or remove it") from error
        if dataset.count not in (1, 3, 4):
            raise ImageError(f"{path}: has {dataset.count} bands; give 1 (grey), 3 (RGB) or 4 (RGB and alpha)")
        if set(dataset.dtypes) != {"uint8"}:
            raise ImageError(
                f"{path}: holds {dataset.dtypes[0]}; scale it to 8 bit, as with `gdal_translate -ot Byte -scale`"
            )
        yield RasterPicture(path, dataset)


def predict_raster(
    predictor: Predictor,
    source: Path,
    folder: Path,
    *,
    confidence: bool = False,
    tta: bool = False,
    monitor: Monitor | None = None,
) -> RasterOutput:
    """Label the raster `source` in strips; write STEM.tif and, if asked, STEM_confidence.tif to `folder`.

    The masks are tiled, compressed TIFFs with the palette and the source's georeference; what is nodata in the source
    is void, which is their nodata value. Tiles are made lower until the sums of logits fit the predictor's
    `max_memory`; what they need is said before the run. `tta` is as in `Predictor.predict`. Raises ImageError for a
    source that cannot be read, ConfigError where even the lowest tiles do not fit, OutputError where the results cannot
    be written.
    """
    monitor = monitor or Monitor()
    with open_raster(source) as picture, ExitStack() as stack:
        plan = fitting_plan(
            TilePlan(picture.height, picture.width, predictor.tile, predictor.overlap, predictor.weights),
            len(predictor.classes),
            predictor.max_memory,
        )
        needed = plan.memory(len(predictor.classes)) / 2**20
        monitor.line(
            f"{source.name}: {picture.height} x {picture.width} pixels in {len(plan.rows) * len(plan.columns)} tiles "
            f"of {plan.size[0]} x {plan.size[1]}; sums of logits need {needed:.0f} MiB"
        )
        labels = stack.enter_context(_written(folder / f"{source.stem}.tif", picture, predictor))
        path = folder / f"{source.stem}_confidence.tif" if confidence else None
        sure = stack.enter_context(_written(path, picture, None)) if path else None
        counts = np.zeros(256, np.int64)
        runner = mirrored(predictor.runner) if tta else predictor.runner
        strips = monitor.track(
            stream(runner, picture, plan), what=source.name, total=plan.height, unit="rows", weight=STRIP
        )
        for top, logits in strips:
            counts += _write_strip(picture, top, logits, labels, sure)
    pixels = (*counts[: len(predictor.classes)].tolist(), int(counts[VOID]))
    return RasterOutput(folder / f"{source.stem}.tif", path, pixels)


def fitting_plan(plan: TilePlan, classes: int, max_memory: int | None) -> TilePlan:
    """The plan with tiles as low as needed to hold at most `max_memory` bytes. Raises ConfigError where none does."""
    while max_memory is not None and plan.memory(classes) > max_memory:
        height = plan.size[0] // 2 // 32 * 32
        if height < LOWEST_TILE:
            needed = plan.memory(classes) / 2**20
            raise ConfigError(
                f"{plan.height} x {plan.width} pixels with {classes} classes need {needed:.0f} MiB even in tiles of "
                f"{plan.size[0]} rows; allow more with --max-memory, or cut the picture"
            )
        plan = replace(plan, tile=(height, plan.tile[1]))
    return plan


def reads_by_window(path: Path) -> bool:
    """Whether an image is to be labelled by `predict_raster`: it has a georeference, or too many pixels for memory.

    Raises ImageError for one of too many pixels where rasterio is not installed. A file that cannot be opened is not
    one of these: reading it will say what is wrong.
    """
    pixels = pixel_count(path)
    large = pixels is not None and pixels > MAX_PIXELS
    if not large and path.suffix.lower() not in (".tif", ".tiff", ".vrt", ".jp2"):
        return False
    try:
        rasterio = demand_rasterio()
    except ConfigError as error:
        if large:
            raise ImageError(f"{path}: {pixels} pixels are too many to read at once, and {error}") from error
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(path) as dataset:
                return large or dataset.crs is not None or dataset.height * dataset.width > MAX_PIXELS
    except rasterio.errors.RasterioIOError:
        return False


def demand_rasterio() -> ModuleType:
    """The package, or a ConfigError that says how to install it."""
    try:
        return importlib.import_module("rasterio")
    except ImportError as error:
        raise ConfigError("rasterio is not installed: pip install 'pixelwise[raster]'") from error


@dataclass
class _Target:
    """An open TIFF of one band that is written from the top to the bottom, with a checksum of what was handed to it."""

    dataset: Any
    checksum: int = 0

    def write(self, top: int, rows: Array) -> None:
        self.checksum = zlib.crc32(rows.tobytes(), self.checksum)
        try:
            self.dataset.write(rows, 1, window=((top, top + len(rows)), (0, rows.shape[1])))
        except Exception as error:
            raise OutputError(_not_written(self.dataset.name, str(error))) from error


def _write_strip(
    picture: RasterPicture, top: int, logits: torch.Tensor, labels: _Target, sure: _Target | None
) -> NDArray[np.int64]:
    """Write one strip of rows; the count of each label."""
    found, confidence = read_labels(logits)
    height, width = found.shape
    void = ~picture.valid(top, 0, height, width)
    ids = found.numpy()
    ids[void] = VOID
    labels.write(top, ids)
    if sure is not None:
        shares = np.rint(confidence.numpy().clip(0, 1) * 255).astype(np.uint8)
        shares[void] = 0
        sure.write(top, shares)
    return np.bincount(ids.ravel(), minlength=256)


@contextmanager
def _written(path: Path, picture: RasterPicture, predictor: Predictor | None) -> Iterator[_Target]:
    """A TIFF of one band beside which `path` is renamed when it is whole; with a palette where a predictor is given.

    It is read back and compared before: what GDAL still holds when a file is closed may fail to be written without a
    word, as on a full disk.
    """
    rasterio = demand_rasterio()
    source = picture.dataset
    profile = {
        "driver": "GTiff",
        "height": picture.height,
        "width": picture.width,
        "count": 1,
        "dtype": "uint8",
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "BIGTIFF": "IF_SAFER",
    }
    if source.crs is not None:
        profile |= {"crs": source.crs, "transform": source.transform}
    if predictor is not None:
        profile["nodata"] = VOID
    with atomic(path) as draft:
        with rasterio.open(draft, "w", **profile) as dataset:
            if predictor is not None:
                palette = dict(enumerate(predictor.classes.palette))
                dataset.write_colormap(1, {label: (*colour, 255) for label, colour in palette.items()})
            target = _Target(dataset)
            yield target
        if _checksum(draft) != target.checksum:
            raise OutputError(_not_written(str(path), "what was written cannot be read back"))


def _checksum(path: Path) -> int | None:
    """That of the only band, row by row; None where it cannot be read."""
    rasterio, total = demand_rasterio(), 0
    try:
        with rasterio.open(path) as dataset:
            for top in range(0, dataset.height, BLOCK):
                rows = (top, min(top + BLOCK, dataset.height))
                total = zlib.crc32(dataset.read(1, window=(rows, (0, dataset.width))).tobytes(), total)
    except Exception:  # rasterio's errors share no base class but Exception
        return None
    return total


def _not_written(path: str, reason: str) -> str:
    return f"cannot write {path} ({reason}); free some space and run again, the file of before is kept"
