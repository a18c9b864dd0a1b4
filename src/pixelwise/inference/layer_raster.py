"""Rasters by window to layers of classes that overlap: a band a class."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from pixelwise.classes import VOID
from pixelwise.inference.layer_options import LayerOptions
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.predict_raster import RasterSummary, plan_tiles
from pixelwise.inference.raster import RasterPicture, open_raster
from pixelwise.inference.raster_files import STRIP, Target, open_target, waiting_bytes
from pixelwise.inference.raster_memory import find_need
from pixelwise.inference.tiling import TilePlan
from pixelwise.inference.tta import Logits
from pixelwise.io.images import Array
from pixelwise.progress import Progress


def predict_layer_raster(
    predictor: LayerPredictor,
    source: Path,
    folder: Path,
    *,
    stem: str,
    options: LayerOptions,
    progress: Progress,
    summary: RasterSummary,
) -> Path:
    """Label the raster `source` in tiles, as `predict_raster` does; write STEM.tif to `folder`, of
    a band a class that bears its name: 1 where a pixel is of it, 0 where not, 255, its nodata
    value, where the source has none. With `probabilities`, the scores go to STEM_probabilities.tif.
    Returns the path of STEM.tif. Raises as `predict_raster`.
    """
    path = folder / f"{stem}.tif"
    name = source.name
    with open_raster(source, predictor.rule) as picture, ExitStack() as stack:
        summary.notes += picture.notes
        size = (picture.height, picture.width)
        if not options.scales:
            summary.notes += predictor.size_notes(size, is_raster=True)
        classes = len(predictor.classes)
        # of each class a layer and, as it is written, a score
        row_bytes = picture.bytes_per_pixel + 5 * classes
        plan, planned = plan_tiles(predictor, *size, options, pixel_bytes=row_bytes)
        tiles = len(plan.rows) * len(plan.columns)
        stack.enter_context(picture.cache_rows(plan.size[0]))
        waiting = waiting_bytes(plan.size[0], plan.width, classes)
        if options.scores:
            waiting += waiting_bytes(plan.size[0], plan.width, 4 * classes, block=STRIP)
        prepared, need = find_need(
            predictor, picture, plan, options, planned=planned, waiting=waiting
        )
        progress.log(
            f"{name}: {size[0]} x {size[1]} pixels in {tiles} tiles of {plan.size[0]} x "
            f"{plan.size[1]}; {need}"
        )
        rows = _LayerRows(picture, plan, _open_files(path, picture, predictor, options, stack))
        pieces = prepared.window_pieces(picture, plan, tta=options.tta, scales=options.scales)
        for top, left, logits in progress.track(pieces, what=name, total=tiles, unit="tiles"):
            rows.add(top, left, *predictor.decide(logits))
    if options.overlay:
        progress.log(f"{name}: no overlay, as it is read by window")
    return path


def _open_files(
    path: Path,
    picture: RasterPicture,
    predictor: LayerPredictor,
    options: LayerOptions,
    stack: ExitStack,
) -> list[Target]:
    """The files of layers and, where they are asked for, of scores."""
    names = predictor.classes.names
    common = {"height": picture.height, "count": len(names), "photometric": "minisblack"}
    profiles = [(path, {"dtype": "uint8", "nodata": VOID})]
    if options.scores:
        half = {"dtype": "float32", "nbits": 16, "predictor": 3, "nodata": np.nan}
        scores = path.with_name(f"{path.stem}_{options.scores}.tif")
        profiles.append((scores, {**half, "blockysize": STRIP}))
    files = []
    for place, profile in profiles:
        target = stack.enter_context(open_target(place, picture.dataset, {**common, **profile}))
        for number, name in enumerate(names, 1):
            target.dataset.set_band_description(number, name)
        files.append(target)
    return files


class _LayerRows:
    """Gathers pieces to rows of tiles, which go to the files."""

    def __init__(self, picture: RasterPicture, plan: TilePlan, files: list[Target]) -> None:
        self._picture = picture
        self._files = files
        shape = (files[0].dataset.count, plan.size[0], picture.width)
        self._layers = np.zeros(shape, np.uint8)
        self._scores = np.zeros(shape if len(files) > 1 else 0, np.float32)

    def add(self, top: int, left: int, scores: Logits, layers: Array) -> None:
        """A piece (C, h, w) at (top, left); one channel where nothing was seen yet."""
        _, height, width = layers.shape
        window = (..., slice(height), slice(left, left + width))
        self._layers[window] = layers
        if len(self._files) > 1:
            self._scores[window] = scores
        if left + width < self._picture.width:
            return
        void = ~self._picture.valid(top, 0, height, self._picture.width)
        rows = self._layers[:, :height].copy()
        rows[:, void] = VOID
        self._files[0].write(rows)
        if len(self._files) > 1:
            # to what half precision holds, as is compared when the file is read back
            values = self._scores[:, :height].astype(np.float16).astype(np.float32)
            values[:, void] = np.nan
            self._files[1].write(values)
