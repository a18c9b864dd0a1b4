"""Many images to masks: reading, inference and writing overlap; a broken image is named, the
others go on.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pixelwise.errors import ImageError
from pixelwise.inference.annotate import check_annotations, write_annotations
from pixelwise.inference.batching import Batch
from pixelwise.inference.executor import Result, Row, ThreadExecutor
from pixelwise.inference.image_info import ImageInfos
from pixelwise.inference.image_worker import ImageWorker, Labelled
from pixelwise.inference.label_job import LabelJob, Predictions, check_options
from pixelwise.inference.layer_options import LayerOptions
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.manifest import DONE, FAILED, new_row
from pixelwise.inference.output_folder import OutputFolder, is_on_disk
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predict_raster import check_fits_memory
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.sources import Sources, find_sources
from pixelwise.inference.split_frames import split_frames
from pixelwise.inference.threads import CALLS
from pixelwise.io.storage import Store, normalize_uri, open_store
from pixelwise.io.temp_files import temp_folder
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress


def predict_files(
    predictor: Predictor,
    inputs: Sequence[str | Path] | Sources,
    out: str | Path,
    *,
    choices: PredictOptions | None = None,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Write a mask for each image of `inputs`, as `find_sources` takes or gives them, to the folder
    or URI `out`, and what else is chosen.

    A few images are in work at a time, each read, labelled and written by a thread of its own.
    Georeferenced images and those above MAX_PIXELS are read by window and written as TIFF
    (`predict_raster`), one by one. Images in stores are fetched to temporary
    files, and results for a store are sent whole. With a `recipe`, an image whose results all
    exist is skipped where they were made by the same; without one all are made again. Raises
    DataError where there is no image at all, ConfigError where two results would get one name, a
    result would overwrite an input, or the masks in `out` were made by another recipe or of
    another image, OutputError where `out` cannot be written to. Results already written are kept.
    """
    options = choices or PredictOptions()
    if isinstance(predictor, LayerPredictor):
        options = LayerOptions.of(options, predictor.classes.names)
    progress = progress or default_progress()
    sources = inputs if isinstance(inputs, dict) else find_sources(inputs)
    if options.frames == "all":
        sources = split_frames(sources)
    store = open_store(normalize_uri(str(out)))
    infos = ImageInfos(sources)
    folder = OutputFolder(store, list(sources), options, recipe, is_large=infos.may_be_large)
    folder.check(progress)
    names = predictor.classes.names
    check_options(options, names, ((image, _pixels(image, infos)) for image in sources))
    _check_memory(predictor, list(sources), options, infos)
    check_annotations(options, store, list(sources), infos)
    job = LabelJob(sources, folder, progress)
    folder.begin()
    batches = [
        Batch(number, (image,), (pixels or 0,))
        for number, (image, pixels) in enumerate(job.todo.items())
    ]
    at_once = CALLS.expect_many() if len(batches) > 1 else nullcontext()
    with temp_folder() as temp_path, at_once:
        task = LocalTask(predictor, store, options, infos, Path(temp_path), progress, folder.root)
        rows = ThreadExecutor().map(LocalWorker, task, batches)
        result = job.run(rows, names, what="predicting", total=len(batches))
    lines = write_annotations(options, store, job.masks, predictor.classes, progress)
    return replace(result, annotations=tuple(lines))


@dataclass(frozen=True)
class LocalTask:
    """What the threads of this process share."""

    predictor: Predictor
    store: Store
    options: PredictOptions
    infos: ImageInfos
    temp_folder: Path
    progress: Progress
    root: str | None


class LocalWorker:
    """Labels batches of one image, in several threads at once."""

    def __init__(self, task: LocalTask) -> None:
        self._progress = task.progress
        self._worker = ImageWorker(
            task.predictor,
            task.store,
            task.options,
            temp_folder=task.temp_folder,
            infos=task.infos,
            root=task.root,
        )

    def __call__(self, batch: Batch) -> list[Result]:
        """The row of the batch's image, or what is to be called for it."""
        (image,) = batch.images
        try:
            labelled = self._worker.label(image, self._progress)
        except ImageError as error:
            return [_failure(image, error)]
        if callable(labelled):
            return [partial(_row_of, image, labelled)]
        return [_success(image, labelled)]


def _row_of(image: str, label: Callable[[], Labelled]) -> Row:
    try:
        return _success(image, label())
    except ImageError as error:
        return _failure(image, error)


def _success(image: str, labelled: Labelled) -> Row:
    return new_row(
        image,
        labelled.pixels,
        DONE,
        mask=labelled.mask,
        notes=labelled.notes,
        counts=labelled.counts,
    )


def _failure(image: str, error: ImageError) -> Row:
    return new_row(image, None, FAILED, str(error))


def _pixels(image: str, infos: ImageInfos) -> int | None:
    # in a store it is known only when it is fetched: it may be one that fails then
    return infos.pixels(image) if is_on_disk(image) else None


def _check_memory(
    predictor: Predictor,
    images: Sequence[str],
    options: PredictOptions,
    infos: ImageInfos,
) -> None:
    """Raises ConfigError where a large image does not fit the memory allowed."""
    if predictor.max_memory is None:
        return
    for image in images:
        if is_on_disk(image) and infos.is_large(image):
            with suppress(ImageError):  # one that cannot be read is named when its turn comes
                check_fits_memory(predictor, Path(image), options)
