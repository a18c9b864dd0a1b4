"""Rasters labelled in tiles and written as tiled TIFF, in bounded memory."""

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ImageError
from pixelwise.inference.areas import count_labels
from pixelwise.inference.label_writer import Confidence, LabelRules, LabelWriter, Mask
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.qgis_style import write_qgis_style
from pixelwise.inference.raster import RasterPicture, open_raster
from pixelwise.inference.raster_files import (
    STRIP,
    Files,
    open_files,
    waiting_bytes,
    write_class_names,
)
from pixelwise.inference.raster_memory import find_need
from pixelwise.inference.raster_overlay import write_raster_overlay
from pixelwise.inference.regions import check_region_size, class_ids, write_polygons
from pixelwise.inference.tile_artifacts import Seams
from pixelwise.inference.tiling import RowChunk, TilePlan
from pixelwise.inference.tta import peak_copies
from pixelwise.io.images import MAX_PIXELS, Array
from pixelwise.io.reading_notes import ReadingNote
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

# Bytes of a pixel of a row of tiles beside its bands, for blocks that reach over the row's edges.
SPARE_BYTES = 2

MIN_TILE_HEIGHT = 128

# Bytes for the sums of logits and the rows of the picture where no limit is given: with them,
# 20,000 pixels a side stay below 1 GiB in all.
DEFAULT_MAX_MEMORY = 480 * 2**20


@dataclass
class RasterSummary:
    """What reading did to a raster, and the pixels (256,) of each label."""

    notes: list[ReadingNote] = field(default_factory=list)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))


def predict_raster(
    predictor: Predictor,
    source: Path,
    folder: Path,
    *,
    stem: str | None = None,
    choices: PredictOptions | None = None,
    progress: Progress | None = None,
    chunk: RowChunk | None = None,
    summary: "RasterSummary | None" = None,
) -> Path:
    """Label the raster `source` in tiles; write STEM.tif to `folder`, and what else is chosen.
    Returns the mask's path. STEM is `stem`, the source's own if None. What reading did to the
    source, and the pixels of each label, are added to `summary`.

    STEM.tif and STEM_confidence.tif are tiled, compressed TIFFs with the palette and the source's
    georeference; what is nodata in the source is void, which is their nodata value. The mask is a
    Cloud Optimized GeoTIFF. The classes' names stand in STEM.tif.aux.xml, and with their colours in
    STEM.qml, for QGIS.
    STEM_probabilities.tif and STEM_logits.tif have a band for each class in half precision, void is
    NaN. STEM.geojson has the polygons, STEM_overlay.jpg is the overlay, made smaller. Tiles are
    made lower until the sums of logits fit the predictor's `max_memory`; what they need is logged
    before the run. Of a `chunk` its rows alone are written, as STEM.NUMBER-OF.tif and so on, for
    `join_row_chunks`. Raises ImageError for a
    source that cannot be read, ConfigError where even the lowest tiles do not fit or where regions
    are to be removed from a picture above MAX_PIXELS, OutputError where the results cannot be
    written.
    """
    choices = choices or PredictOptions()
    progress = progress or default_progress()
    choices = replace(choices, largest=choices.largest or predictor.largest)
    stem = stem or source.stem
    path = folder / (chunk.name(stem) if chunk else f"{stem}.tif")
    with open_raster(source, predictor.rule) as picture:
        if summary is not None:
            summary.notes += picture.notes
            size = (picture.height, picture.width)
            if not choices.scales:
                summary.notes += predictor.size_notes(size, is_raster=True)
        rows = _write_raster(predictor, picture, path, choices, progress, chunk)
    if summary is not None:
        summary.counts += rows.counts
    if chunk is None:
        finish_mask(path, predictor.classes, choices, rows.seams, progress)
        if choices.overlay:
            write_raster_overlay(source, path, predictor.classes, predictor.rule)
    return path


def _write_raster(
    predictor: Predictor,
    picture: RasterPicture,
    path: Path,
    choices: PredictOptions,
    progress: Progress,
    chunk: RowChunk | None,
) -> "RasterRows":
    """Label an open raster, or a chunk of it."""
    name = picture.path.name
    plan, planned = _check_and_plan(predictor, picture, choices)
    tile_rows = chunk.rows(plan) if chunk else range(len(plan.rows))
    if not tile_rows:
        raise ImageError(f"{picture.path}: is smaller than it was when the job began; run again")
    height = plan.edges[tile_rows.stop] - plan.edges[tile_rows.start]
    count = len(tile_rows) * len(plan.columns)
    with ExitStack() as stack:
        stack.enter_context(picture.cache_rows(plan.size[0]))
        waiting = waiting_bytes(plan.size[0], plan.width, 1 + bool(choices.confidence))
        if choices.scores:
            waiting += waiting_bytes(STRIP, plan.width, 4 * len(predictor.classes), block=STRIP)
        predictor, need = find_need(
            predictor, picture, plan, choices, planned=planned, waiting=waiting
        )
        progress.log(
            f"{name}: {height} x {picture.width} pixels in {count} tiles of {plan.size[0]} x "
            f"{plan.size[1]}; {need}"
        )
        tiles = predictor.window_pieces(
            picture, plan, chunk, tta=choices.tta, scales=choices.scales
        )
        files = open_files(
            path, picture.dataset, height, predictor.classes, choices, stack,
            is_part=chunk is not None,
        )  # fmt: skip
        rows = RasterRows(picture, plan, choices, files)
        writer = LabelWriter(
            (plan.height, plan.width),
            len(predictor.classes),
            rows,
            row_height=plan.size[0],
            confidence=np.uint8 if choices.confidence else None,
            scores=choices.scores,
            rules=LabelRules(
                class_ids(predictor.classes.names, choices.largest),
                choices.smallest,
                choices.threshold,
            ),
        )
        for top, left, logits in progress.track(tiles, what=name, total=count, unit="tiles"):
            writer.add(top, left, logits)
        writer.finish()
    return rows


class RasterRows:
    """Rows of labels that go to the files of a raster, or of a chunk of it."""

    def __init__(
        self,
        picture: RasterPicture,
        plan: TilePlan,
        choices: PredictOptions,
        files: Files,
    ) -> None:
        self.seams = Seams(plan)
        self.counts = np.zeros(256, np.int64)
        self._picture = picture
        self._choices = choices
        self._files = files

    def void(self, top: int, height: int) -> Mask | None:
        """Where the source has no data."""
        void: Mask = ~self._picture.valid(top, 0, height, self._picture.width)
        return void

    def write_labels(self, top: int, labels: Array, confidence: Confidence | None) -> None:
        """Labels and confidence, in the order of their rows."""
        self._files[""].write(labels[None])
        if confidence is not None:
            self._files["_confidence"].write(confidence[None])
        self.counts += count_labels(labels)
        if "seams" in self._choices.extras:
            self.seams.add(top, labels)

    def write_scores(self, top: int, scores: NDArray[np.float16], void: Mask | None) -> None:
        """Scores, NaN where the source has no data."""
        target = self._files[f"_{self._choices.scores}"]
        for first in range(0, scores.shape[1], STRIP):
            strip = slice(first, first + STRIP)
            values = scores[:, strip].astype(np.float32)
            if void is not None:
                values[:, void[strip]] = np.nan
            target.write(values)


def finish_mask(
    path: Path,
    classes: Classes,
    choices: PredictOptions,
    seams: Seams,
    progress: Progress,
) -> None:
    """What is made of a whole mask."""
    write_class_names(path, classes.names)
    write_qgis_style(path, classes)
    if "seams" in choices.extras:
        progress.log(f"{path.name}: {seams}")
    if "polygons" in choices.extras:
        outlines = path.with_suffix(".geojson")
        if not write_polygons(path, outlines, classes.names):
            progress.log(
                f"{outlines.name}: in the raster's own coordinates, or in pixels where it has "
                "none: no longitude and latitude, and no square metres"
            )


def check_fits_memory(predictor: Predictor, source: Path, choices: PredictOptions) -> None:
    """Raises ConfigError for a raster that is too large, as `predict_raster` does, and ImageError
    as `open_raster`.
    """
    with open_raster(source, predictor.rule) as picture:
        _check_and_plan(predictor, picture, choices)


def _check_and_plan(
    predictor: Predictor,
    picture: RasterPicture,
    choices: PredictOptions,
) -> tuple[TilePlan, int]:
    if choices.needs_whole:
        check_region_size(picture.height, picture.width, MAX_PIXELS)
    size = (picture.height, picture.width)
    return plan_tiles(predictor, *size, choices, pixel_bytes=picture.bytes_per_pixel)


def plan_tiles(
    predictor: Predictor,
    height: int,
    width: int,
    choices: PredictOptions,
    *,
    pixel_bytes: int = 3,
) -> tuple[TilePlan, int]:
    """The tiles of a picture of so many bytes a pixel that fit `max_memory`, and the bytes that
    they need.
    """
    classes = len(predictor.classes)
    models = len(predictor.runners)
    copies = peak_copies(mirror=choices.tta, scales=choices.scales)
    row_bytes = (
        pixel_bytes + SPARE_BYTES + 2 + bool(choices.confidence)
    )  # 2: labels, and where there are data
    row_bytes += choices.threshold > 0
    if choices.scores:
        row_bytes += 2 * classes
    if models > 1:  # a row of scores of each, and of their mean
        row_bytes += 4 * classes * (models + 1)
    plan = fit_plan_to_memory(
        predictor.plan(height, width),
        classes,
        predictor.max_memory,
        copies=copies,
        row_bytes=row_bytes,
        models=models,
    )
    return plan, plan.memory(classes * models, copies=copies, row_bytes=row_bytes)


def fit_plan_to_memory(
    plan: TilePlan,
    classes: int,
    max_memory: int | None,
    *,
    copies: float = 1,
    row_bytes: int = 0,
    models: int = 1,
) -> TilePlan:
    """The plan with tiles as low as needed to hold at most `max_memory` bytes, of so many models at
    once. Raises ConfigError where none does.

    None: DEFAULT_MAX_MEMORY bytes, or the lowest tiles where even these hold more.
    """
    limit = max_memory or DEFAULT_MAX_MEMORY
    channels = classes * models
    while plan.memory(channels, copies=copies, row_bytes=row_bytes) > limit:
        height = plan.size[0] // 2 // 32 * 32
        is_lowest = plan.exact or height < MIN_TILE_HEIGHT
        if is_lowest and max_memory is None:
            break
        if is_lowest:
            needed = plan.memory(channels, copies=copies, row_bytes=row_bytes) / 2**20
            by_models = f" by {models} models" if models > 1 else ""
            raise ConfigError(
                f"{plan.height} x {plan.width} pixels with {classes} classes{by_models} need "
                f"{needed:.0f} MiB even in tiles of "
                f"{plan.size[0]} rows; allow more with --max-memory, or cut the picture"
            )
        plan = replace(plan, tile=(height, plan.tile[1]))
    return plan
