"""Pictures too large for memory, and georeferenced ones: read by window, labelled in tiles, written
as tiled TIFF.

Needs rasterio (extra `raster`), which reads what GDAL reads.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Classes, read_labels, softmax, top_labels
from pixelwise.errors import ConfigError, ImageError
from pixelwise.inference.options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.raster_files import STRIP, Files, open_files
from pixelwise.inference.regions import (
    check_region_size,
    class_ids,
    outside_largest_component,
    remove_small_regions,
    second_best_labels,
    write_polygons,
)
from pixelwise.inference.tile_artifacts import Seams
from pixelwise.inference.tiling import RowChunk, TilePlan, stream
from pixelwise.inference.tta import Logits, peak_copies, with_tta
from pixelwise.io.images import IMAGE_SUFFIXES, MAX_PIXELS, Array, pixel_count
from pixelwise.optional import require_package
from pixelwise.progress import Progress

ROW_BYTES = 5
"""A pixel of a row of tiles as GDAL keeps it: three bands, and blocks that reach over the row's
edges.
"""

MIN_TILE_HEIGHT = 128
DEFAULT_MAX_MEMORY = 480 * 2**20
"""Bytes for the sums of logits and the rows of the picture where no limit is given: with them,
20,000 pixels a side stay below 1 GiB in all.
"""

_FILTERS = Lock()
_SPARE_CACHE = 16 * 2**20
_SETTINGS = {"GDAL_CACHEMAX": _SPARE_CACHE, "GDAL_NUM_THREADS": "1"}  # the cache in bytes


@dataclass
class RasterPicture:
    """An open raster as RGB pixels by window. One band is grey, or has a palette; of four the last
    one, alpha, says where it is valid.
    """

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
        """RGB (h, w, 3) uint8 of a window of rows and columns. Raises ImageError where the file
        breaks off.
        """
        rows, columns = window
        bands = [1, 2, 3] if self.dataset.count >= 3 else [1]
        with self._breaks_off(rows.start):
            read = self.dataset.read(
                bands, window=((rows.start, rows.stop), (columns.start, columns.stop))
            )
        if self._palette is not None:
            found: Array = self._palette[read[0]]
        else:
            found = np.broadcast_to(read, (3, *read.shape[1:])).transpose(1, 2, 0)
        return found

    def valid(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_]:
        """Where a window has data, (h, w): by the file's nodata value, alpha band or mask. Raises
        as indexing does.
        """
        with self._breaks_off(top):
            mask = self.dataset.dataset_mask(window=((top, top + height), (left, left + width)))
        found: NDArray[np.bool_] = mask > 0
        return found

    @contextmanager
    def keeping(self, rows: int) -> Iterator[None]:
        """A block in which GDAL keeps what it decodes for windows of so many rows, side by side.

        With less, each window of a PNG or JPEG decodes the file from its top again.
        """
        block = self.dataset.block_shapes[0][0]
        held = (math.ceil(rows / block) + 1) * block * self.width * self.dataset.count
        with quiet_rasterio().Env(GDAL_CACHEMAX=_SPARE_CACHE + math.ceil(1.1 * held)):
            yield

    @cached_property
    def _palette(self) -> Array | None:
        """RGB (256, 3) by the value of a pixel, where the only band is one of such values."""
        if self.dataset.count > 1 or self.dataset.colorinterp[0].name != "palette":
            return None
        colours = np.zeros((256, 3), np.uint8)
        for value, colour in self.dataset.colormap(1).items():
            if value < len(colours):
                colours[value] = colour[:3]
        return colours

    @contextmanager
    def _breaks_off(self, row: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # rasterio's errors share no base class but Exception
            raise ImageError(
                f"{self.path}: cannot be read from row {row} on ({error}); replace it"
            ) from error


@contextmanager
def open_raster(path: Path) -> Iterator[RasterPicture]:
    """The raster at `path`. Raises ConfigError without rasterio, ImageError for what it cannot
    open, for bands that are not 1, 3 or 4 of 8 bit, or are CMYK that GDAL does not convert, and for
    a photo that lies on its side in its file.
    """
    rasterio = quiet_rasterio()
    with rasterio.Env(**_SETTINGS), ExitStack() as stack:
        try:
            dataset = stack.enter_context(rasterio.open(path))
        except Exception as error:
            raise ImageError(
                f"{path}: cannot be opened as a raster ({error}); replace or remove it"
            ) from error
        if dataset.count not in (1, 3, 4):
            raise ImageError(
                f"{path}: has {dataset.count} bands; give 1 (grey), 3 (RGB) or 4 (RGB and alpha)"
            )
        if set(dataset.dtypes) != {"uint8"}:
            raise ImageError(
                f"{path}: holds {dataset.dtypes[0]}; scale it to 8 bit, as with "
                "`gdal_translate -ot Byte -scale`"
            )
        if not _is_placed(dataset) and (
            turned := dataset.tags().get("EXIF_Orientation", "1")
        ) not in ("0", "1"):
            raise ImageError(
                f"{path}: lies on its side or its head in the file (EXIF orientation "
                f"{turned}), and so large a picture "
                "is read as it lies; turn it first, as with ImageMagick's `magick IN "
                "-auto-orient OUT`"
            )
        if (
            dataset.colorinterp[0].name == "cyan"
        ):  # GDAL converts that of TIFF and JPEG files by itself
            raise ImageError(
                f"{path}: holds CMYK; convert it to RGB, as with `magick IN -colorspace sRGB OUT`"
            )
        yield RasterPicture(path, dataset)


def predict_raster(
    predictor: Predictor,
    source: Path,
    folder: Path,
    *,
    choices: PredictOptions | None = None,
    progress: Progress | None = None,
    band: RowChunk | None = None,
) -> Path:
    """Label the raster `source` in tiles; write STEM.tif to `folder`, and what else is chosen. The
    mask's path.

    STEM.tif and STEM_confidence.tif are tiled, compressed TIFFs with the palette and the source's
    georeference; what is nodata in the source is void, which is their nodata value.
    STEM_probabilities.tif and STEM_logits.tif have a band for each class in half precision, void is
    NaN. STEM.geojson has the polygons. Tiles are made lower until the sums of logits fit the
    predictor's `max_memory`; what they need is said before the run. Of a `band` come its rows
    alone, as STEM.NUMBER-OF.tif and so on, for `join_bands`. Raises ImageError for a source that
    cannot be read, ConfigError where even the lowest tiles do not fit or where regions are to be
    taken away from a picture above MAX_PIXELS, OutputError where the results cannot be written.
    """
    choices = choices or PredictOptions()
    progress = progress or Progress()
    choices = replace(choices, largest=choices.largest or predictor.largest)
    path = folder / (band.name(source.stem) if band else f"{source.stem}.tif")
    with open_raster(source) as picture, ExitStack() as stack:
        if choices.needs_whole:
            check_region_size(picture.height, picture.width, MAX_PIXELS)
        plan, needed = plan_tiles(predictor, picture.height, picture.width, choices)
        rows = band.rows(plan) if band else range(len(plan.rows))
        if not rows:
            raise ImageError(f"{source}: is smaller than it was when the job began; run again")
        height = plan.edges[rows.stop] - plan.edges[rows.start]
        count = len(rows) * len(plan.columns)
        progress.log(
            f"{source.name}: {height} x {picture.width} pixels in {count} tiles "
            f"of {plan.size[0]} x {plan.size[1]}; its rows and the sums of logits need "
            f"{needed / 2**20:.0f} MiB"
        )
        runner = with_tta(predictor.runner, mirror=choices.tta, scales=choices.scales)
        stack.enter_context(picture.keeping(plan.size[0]))
        pieces = progress.track(
            stream(runner, picture, plan, band), what=source.name, total=count, unit="tiles"
        )
        files = open_files(path, picture.dataset, height, predictor.classes, choices, stack)
        results = _Results(
            picture, plan, choices, files, class_ids(predictor.classes.names, choices.largest)
        )
        for top, left, logits in pieces:
            results.add(top, left, logits)
        results.finish()
    if not band:
        finish_mask(path, predictor.classes, choices, results.seams, progress)
    return path


def finish_mask(
    path: Path, classes: Classes, choices: PredictOptions, seams: Seams, progress: Progress
) -> None:
    """What is made of a whole mask."""
    if "seams" in choices.extras:
        progress.log(f"{path.name}: {seams}")
    if "polygons" in choices.extras:
        outlines = path.with_suffix(".geojson")
        if not write_polygons(path, outlines, classes.names):
            progress.log(
                f"{outlines.name}: in the raster's own coordinates, which have no longitude "
                "and latitude"
            )


def check_fits_memory(predictor: Predictor, source: Path, choices: PredictOptions) -> None:
    """Raises ConfigError for a raster that is too large, as `predict_raster` does, and ImageError
    as `open_raster`.
    """
    with open_raster(source) as picture:
        if choices.needs_whole:
            check_region_size(picture.height, picture.width, MAX_PIXELS)
        plan_tiles(predictor, picture.height, picture.width, choices)


def plan_tiles(
    predictor: Predictor, height: int, width: int, choices: PredictOptions
) -> tuple[TilePlan, int]:
    """The tiles of a picture that fit `max_memory`, and the bytes that they need."""
    whole = predictor.plan(height, width)
    classes = len(predictor.classes)
    copies = peak_copies(mirror=choices.tta, scales=choices.scales)
    kept = (
        ROW_BYTES + 2 + bool(choices.confidence) + 2 * classes * bool(choices.scores)
    )  # 2: labels, what is valid
    plan = fit_plan_to_memory(whole, classes, predictor.max_memory, copies=copies, kept=kept)
    return plan, plan.memory(classes, copies=copies, kept=kept)


def fit_plan_to_memory(
    plan: TilePlan, classes: int, max_memory: int | None, *, copies: float = 1, kept: int = 0
) -> TilePlan:
    """The plan with tiles as low as needed to hold at most `max_memory` bytes. Raises ConfigError
    where none does.

    None: COMFORTABLE bytes, or the lowest tiles where even these hold more.
    """
    while plan.memory(classes, copies=copies, kept=kept) > (max_memory or DEFAULT_MAX_MEMORY):
        height = plan.size[0] // 2 // 32 * 32
        if height < MIN_TILE_HEIGHT and max_memory is None:
            break
        if height < MIN_TILE_HEIGHT:
            needed = plan.memory(classes, copies=copies, kept=kept) / 2**20
            raise ConfigError(
                f"{plan.height} x {plan.width} pixels with {classes} classes need "
                f"{needed:.0f} MiB even in tiles of "
                f"{plan.size[0]} rows; allow more with --max-memory, or cut the picture"
            )
        plan = replace(plan, tile=(height, plan.tile[1]))
    return plan


def reads_by_window(path: Path) -> bool:
    """Whether an image is to be labelled by `predict_raster`: it has a georeference, or too many
    pixels for memory.

    So is one that GDAL alone can open. Raises ImageError for one of too many pixels where rasterio
    is not installed. A file that cannot be opened is not one of these: reading it will say what is
    wrong.
    """
    pixels = pixel_count(path)
    large = pixels is not None and pixels > MAX_PIXELS
    if not large and not _may_be_placed(path):
        return False
    try:
        rasterio = quiet_rasterio()
    except ConfigError as error:
        if large:
            raise ImageError(
                f"{path}: {pixels} pixels are too many to read at once, and {error}"
            ) from error
        return False
    try:
        with rasterio.open(path) as dataset:
            return (
                large
                or pixels is None
                or _is_placed(dataset)
                or dataset.height * dataset.width > MAX_PIXELS
            )
    except UnicodeError as error:
        raise ImageError(f"{path}: rasterio opens only names in UTF-8; rename it") from error
    except rasterio.errors.RasterioIOError:
        return False


def _may_be_placed(path: Path) -> bool:
    """Whether it is worth opening with GDAL: by its name, or by a file beside it that says where
    the picture lies.
    """
    kind = path.suffix.lower()
    if kind in (".tif", ".tiff", ".jp2", ".vrt"):
        return True
    if kind not in IMAGE_SUFFIXES:
        return path.is_file()
    world = f"{path.stem}.{kind[1]}{kind[-1]}w"  # .jgw beside .jpg
    beside = (f"{path.name}.aux.xml", world, f"{path.name}w", f"{path.stem}.wld")
    return any(path.with_name(name).is_file() for name in beside)


def _is_placed(dataset: Any) -> bool:
    return dataset.crs is not None or not dataset.transform.is_identity or bool(dataset.gcps[0])


def quiet_rasterio() -> Any:
    """rasterio, which warns of no raster without a georeference from now on.

    The filter stays: `warnings.catch_warnings` puts back the filters of the whole process, those of
    other threads too.
    """
    rasterio = require_package("rasterio")
    quiet = ("ignore", None, rasterio.errors.NotGeoreferencedWarning, None, 0)
    with _FILTERS:
        if quiet not in warnings.filters:
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
    return rasterio


class _Results:
    """Gathers pieces to rows of tiles, and hands these to the files that become of a raster or of a
    band of it.
    """

    def __init__(
        self,
        picture: RasterPicture,
        plan: TilePlan,
        choices: PredictOptions,
        files: Files,
        single: list[int],
    ) -> None:
        self.picture = picture
        self.choices = choices
        self.files = files
        self._single = single
        self.seams = Seams(plan)
        whole = (2, plan.height, plan.width)  # labels and confidence
        self._held = np.empty(whole, np.uint8) if choices.needs_whole else None
        self._beside = np.empty(whole, np.uint8) if single else None

        def rows(dtype: type, *bands: int) -> NDArray[Any]:
            return np.empty((*bands, plan.size[0], plan.width), dtype)

        self._labels = rows(np.uint8)
        if choices.confidence:
            self._sure = rows(np.uint8)
        if choices.scores:
            self._scores = rows(np.float16, files[f"_{choices.scores}"].dataset.count)

    def add(self, top: int, left: int, logits: Logits) -> None:
        """The piece of logits (C, h, w) at (top, left)."""
        _, height, width = logits.shape
        piece = np.s_[:height, left : left + width]
        if self.choices.confidence:
            self._labels[piece], sure = read_labels(logits)
            self._sure[piece] = np.rint(sure * 255)
        else:
            self._labels[piece] = top_labels(logits)
        if (
            self._beside is not None and len(logits) > 1
        ):  # before the first valid tile there is one, of nothing
            place = np.s_[top : top + height, left : left + width]
            self._beside[0, *place], share = second_best_labels(logits, self._single)
            if self.choices.confidence:
                self._beside[1, *place] = np.rint(sure * share * 255)
        if self.choices.scores:
            self._scores[:, *piece] = logits if self.choices.scores == "logits" else softmax(logits)
        if left + width == self.picture.width:
            self._add_rows(top, height)

    def _add_rows(self, top: int, height: int) -> None:
        """A row of pieces is whole."""
        void = ~self.picture.valid(top, 0, height, self.picture.width)
        labels = np.where(void, VOID, self._labels[:height]).astype(np.uint8)
        sure = (
            np.where(void, 0, self._sure[:height]).astype(np.uint8)
            if self.choices.confidence
            else None
        )
        if self._held is None:
            self._write(top, labels, sure)
        else:
            self._held[0, top : top + height] = labels
            if sure is not None:
                self._held[1, top : top + height] = sure
        for first in range(0, height if self.choices.scores else 0, STRIP):
            strip = slice(first, min(first + STRIP, height))
            scores = np.where(void[strip], np.nan, self._scores[:, strip]).astype(np.float32)
            self.files[f"_{self.choices.scores}"].write(scores)

    def finish(self) -> None:
        """What can be done only when all rows are there."""
        if self._held is not None:
            labels, sure = self._held
            if self._beside is not None:
                away = outside_largest_component(labels, self._single)
                labels[away], sure[away] = self._beside[:, away]
            self._write(
                0,
                remove_small_regions(labels, self.choices.smallest),
                sure if self.choices.confidence else None,
            )

    def _write(self, top: int, labels: Array, sure: Array | None) -> None:
        self.files[""].write(labels[None])
        if sure is not None:
            self.files["_confidence"].write(sure[None])
        if "seams" in self.choices.extras:
            self.seams.add(top, labels)
