"""Row chunks of a raster that were labelled apart, joined to the files that one process writes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pixelwise.errors import ImageError
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predict_raster import finish_mask, plan_tiles
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.raster import open_raster
from pixelwise.inference.raster_files import open_files
from pixelwise.inference.tile_artifacts import Seams
from pixelwise.io.gdal import open_dataset
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress


def join_row_chunks(
    predictor: Predictor,
    parts: Sequence[Path],
    path: Path,
    *,
    choices: PredictOptions | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the mask `path`, and what else is chosen, from the row chunks that `predict_raster`
    wrote, in their order.

    A few rows are held at a time. Raises ImageError for a part that is not there or cannot be read,
    OutputError where the results cannot be written.
    """
    choices = choices or PredictOptions()
    progress = progress or default_progress()
    with ExitStack() as stack:
        sources = [stack.enter_context(open_raster(part)).dataset for part in parts]
        height = sum(source.height for source in sources)
        width = sources[0].width
        seams = Seams(plan_tiles(predictor, height, width, choices)[0])
        files = open_files(path, sources[0], height, predictor.classes, choices, stack)
        top = 0
        pairs = list(product(files, parts))
        for ending, part in progress.track(pairs, what=path.name, total=len(pairs), unit="files"):
            for rows in _rows(part.with_name(f"{part.stem}{ending}.tif")):
                files[ending].write(rows)
                if not ending and "seams" in choices.extras:
                    seams.add(top, rows[0])
                    top += rows.shape[1]
    finish_mask(path, predictor.classes, choices, seams, progress)


def _rows(path: Path) -> Iterator[NDArray[Any]]:
    """The rows (bands, h, W) of a TIFF from its top, as many at a time as its blocks have."""
    try:
        with open_dataset(path) as dataset:
            for top in range(0, dataset.height, step := dataset.block_shapes[0][0]):
                yield dataset.read(
                    window=((top, min(top + step, dataset.height)), (0, dataset.width))
                )
    except ImageError as error:
        raise ImageError(
            f"{path}: a row chunk cannot be read ({error.reason}); run again with --overwrite"
        ) from error
