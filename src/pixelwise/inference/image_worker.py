"""One image, from wherever it is to wherever its results go."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ConfigError, ImageError
from pixelwise.inference.areas import count_labels
from pixelwise.inference.cutouts import CutoutRules
from pixelwise.inference.image_info import ImageInfos
from pixelwise.inference.layer_options import LayerOptions
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.layer_raster import predict_layer_raster
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predict_raster import (
    RasterSummary,
    check_fits_memory,
    predict_raster,
)
from pixelwise.inference.predictor import JPEG_SIDE, Predictor
from pixelwise.inference.raster import reads_by_window
from pixelwise.inference.resize import resize_labels
from pixelwise.inference.result_names import result_stem
from pixelwise.inference.tile_artifacts import Seams
from pixelwise.io.frames import FRAMES, parse_frame
from pixelwise.io.images import Array, ImageFile, Picture, write_image
from pixelwise.io.reading_notes import ReadingNote, ReadingNotes
from pixelwise.io.shards import extract_image, parse_slot
from pixelwise.io.storage import Store, fetch, is_uri
from pixelwise.progress import Progress

# Pixels up to which images are read whole beside others. Larger ones take turns: each pixel takes
# some 10 bytes.
MAX_PARALLEL_PIXELS = 16_000_000

_LARGE_IMAGE_LOCK = Lock()
_ALL_FRAMES = "--frames all labels each"
_PAGE_BY_WINDOW = (
    "is read by window, as it is georeferenced or large, and so a file's first page alone is read"
)
_SAVE_PAGE = "save each page as a file, as with `gdal_translate GTIFF_DIR:2:IN.tif page_2.tif`"


class Labelled(NamedTuple):
    """A mask's name, the pixels of its image as far as its header tells them, how that was read,
    and the pixels (256,) of each label where they were counted.
    """

    mask: str
    pixels: int | None
    notes: ReadingNotes = ()
    counts: NDArray[np.int64] | None = None


class ImageWorker:
    """Labels images with a predictor and writes what is made of each to `store`.

    temp_folder: where images that are no files are copied to for as long as they are in work;
    where the system wants it, if None. root: the folder beneath which those of images are mirrored
    in the store; they all go to its own, if None.
    """

    def __init__(
        self,
        predictor: Predictor,
        store: Store,
        options: PredictOptions,
        *,
        temp_folder: Path | None = None,
        infos: ImageInfos | None = None,
        root: str | None = None,
    ) -> None:
        self.predictor = predictor
        self.store = store
        self.options = options
        self._temp_folder = temp_folder
        self._infos = infos or ImageInfos({})
        self._root = root
        self._cutouts: CutoutRules | None = None
        if "cutouts" in options.extras:
            self._cutouts = CutoutRules(options.foreground, options.background, options.crop)

    def label(self, image: str, progress: Progress) -> Labelled | Callable[[], Labelled]:
        """Label an image. What is read by window fills the memory that is allowed: of such an
        image comes what is to be called for it while no other one is in work.

        Raises ImageError for an image that cannot be read, OutputError where a result cannot be
        written.
        """
        with ExitStack() as stack:
            path = stack.enter_context(self.localize(image))
            frame = parse_frame(image)
            with ImageFile(path, frame=frame.number if frame else None) as file:
                info = None if frame else self._infos.get(image)
                by_window = info.by_window if info else reads_by_window(path, file.pixels)
                if frame and by_window:
                    raise ImageError.of_file(path, _PAGE_BY_WINDOW, _SAVE_PAGE)
                if not by_window:
                    return self._label_whole(image, file, progress)
            resources = stack.pop_all()
        return partial(self._label_by_window, image, path, file.pixels, progress, resources)

    def check_fits(self, path: Path) -> None:
        """Raises ImageError for a picture that is too large for what is asked of all images: the
        others may not be.
        """
        try:
            check_fits_memory(self.predictor, path, self.options)
        except ConfigError as error:
            raise ImageError(f"{path}: {error}") from error

    @contextmanager
    def localize(self, image: str) -> Iterator[Path]:
        """The image as a file: itself, or a copy, of which an ImageError in the block speaks as of
        the image. Raises ImageError.
        """
        frame = parse_frame(image)
        if frame is not None:
            try:
                yield frame.path
            except ImageError as error:
                place = f"{frame.path}, frame {frame.number + 1}"
                raise ImageError(str(error).replace(str(frame.path), place)) from error
            return
        slot = parse_slot(image)
        if slot is None and not is_uri(image):
            yield Path(image)
            return
        with self.temp_directory() as folder:
            path = fetch(image, folder) if slot is None else extract_image(slot, folder)
            try:
                yield path
            except ImageError as error:
                raise ImageError(str(error).replace(str(path), image)) from error

    @contextmanager
    def temp_directory(self) -> Iterator[Path]:
        """A folder for the block."""
        with TemporaryDirectory(dir=self._temp_folder) as folder:
            yield Path(folder)

    @contextmanager
    def output_folder(self, store: Store | None = None) -> Iterator[Path]:
        """A folder on disk whose files lie in the store, this worker's if None, when the block
        ends well.
        """
        store = store or self.store
        if store.local is not None:
            yield store.local
            return
        with self.temp_directory() as folder:
            yield folder
            store.take(sorted(folder.iterdir()))

    def place(self, image: str) -> tuple[Store, str, str]:
        """The store that an image's results lie in, the name of its folder in this worker's with a
        slash behind it, if it is another, and their stem.
        """
        folder, slash, stem = result_stem(image, self._root).rpartition("/")
        store = self.store.subfolder(folder) if folder else self.store
        return store, folder + slash, stem

    def _label_whole(self, image: str, file: ImageFile, progress: Progress) -> Labelled:
        options = self.options
        takes_turns = (file.pixels or 0) > MAX_PARALLEL_PIXELS
        with _LARGE_IMAGE_LOCK if takes_turns else nullcontext():
            picture = file.read(self.predictor.rule)
            if isinstance(self.predictor, LayerPredictor):
                return self._save_layers(image, file, picture, self.predictor)
            result = self.predictor.predict(
                picture,
                tta=options.tta,
                scales=options.scales,
                smallest=options.smallest,
                largest=options.largest,
                scores=options.scores or ("probabilities" if self._cutouts else None),
                threshold=options.threshold,
            )
            name = file.path.name
            if "polygons" in options.extras:
                progress.log(f"{name}: no polygons, as it has no place on the earth")
            if "seams" in options.extras:
                seams = self._measure_seams(result.labels, picture)
                progress.log(f"{name}: {seams}")
            store, prefix, stem = self.place(image)
            with self.output_folder(store) as folder:
                if self._cutouts:
                    write_image(folder / f"{stem}_cutout.png", self._cutouts.cut(result))
                if not options.scores:
                    result = replace(result, scores={})
                paths = result.save(
                    folder,
                    stem,
                    overlay=options.overlay,
                    confidence=options.confidence,
                )
        names = [path.name for path in paths]
        if options.overlay and f"{stem}_overlay.jpg" not in names:
            progress.log(
                f"{image}: no overlay, as a JPEG file holds {JPEG_SIDE} pixels a side at most"
            )
        return Labelled(
            prefix + names[0], file.pixels, self._notes(result.notes), count_labels(result.labels)
        )

    def _save_layers(
        self, image: str, file: ImageFile, picture: Picture, predictor: LayerPredictor
    ) -> Labelled:
        """Label an image by a model of overlapping classes."""
        options = self.options
        result = predictor.predict_layers(picture, tta=options.tta, scales=options.scales)
        store, prefix, stem = self.place(image)
        with self.output_folder(store) as folder:
            first, *_ = result.save(
                folder, stem, overlay=options.overlay, scores=options.scores is not None
            )
        return Labelled(prefix + first.name, file.pixels, self._notes(result.notes))

    def _measure_seams(self, labels: Array, picture: Picture) -> Seams:
        """Those of labels (H, W), at the size at which the picture was cut in tiles."""
        view = labels.shape
        if not self.options.scales:
            view = self.predictor.view_size(view, picture)
        seams = Seams(self.predictor.plan(*view))
        seams.add(0, resize_labels(labels, view))
        return seams

    def _label_by_window(
        self,
        image: str,
        path: Path,
        pixels: int | None,
        progress: Progress,
        resources: ExitStack,
    ) -> Labelled:
        with resources:
            self.check_fits(path)
            if self._cutouts:
                progress.log(f"{path.name}: no cut-out, as it is read by window")
            store, prefix, stem = self.place(image)
            summary = RasterSummary()
            if isinstance(self.predictor, LayerPredictor):
                assert isinstance(self.options, LayerOptions)
                with self.output_folder(store) as folder:
                    mask = predict_layer_raster(
                        self.predictor,
                        path,
                        folder,
                        stem=stem,
                        options=self.options,
                        progress=progress,
                        summary=summary,
                    )
                return Labelled(prefix + mask.name, pixels, self._notes(summary.notes))
            with self.output_folder(store) as folder:
                mask = predict_raster(
                    self.predictor,
                    path,
                    folder,
                    stem=stem,
                    choices=self.options,
                    progress=progress,
                    summary=summary,
                )
        notes = self._notes(summary.notes)
        return Labelled(prefix + mask.name, pixels, notes, summary.counts)

    def _notes(self, notes: Iterable[ReadingNote]) -> ReadingNotes:
        """What is to be said of reading: not that the first frame was chosen, if it was."""
        if self.options.frames == "first":
            return tuple(note for note in notes if note.type != FRAMES)
        return tuple(
            replace(note, done=f"{note.done}; {_ALL_FRAMES}") if note.type == FRAMES else note
            for note in notes
        )
