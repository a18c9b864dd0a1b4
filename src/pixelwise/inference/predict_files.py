"""Many images to masks on disk: reading, inference and writing overlap; a broken one is named, the
others go on.
"""

import glob
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

from pixelwise.errors import ConfigError, DataError, ImageError, OutputError
from pixelwise.inference.areas import remove_areas, write_areas
from pixelwise.inference.options import PredictOptions
from pixelwise.inference.outputs import RECIPE, Recipe, check_clashes, find_finished, result_names
from pixelwise.inference.predictor import JPEG_SIDE, Predictor
from pixelwise.inference.provenance import Origins
from pixelwise.inference.raster import check_fits_memory, predict_raster, reads_by_window
from pixelwise.inference.regions import TOO_LARGE, class_ids
from pixelwise.inference.threads import map_ordered
from pixelwise.inference.tile_artifacts import Seams
from pixelwise.io.atomic import remove_stale_temp_files, write_text
from pixelwise.io.images import MAX_PIXELS, list_images, pixel_count
from pixelwise.malloc import retain_memory
from pixelwise.optional import require_package
from pixelwise.progress import Progress

AREAS = "areas.csv"

STALE_AFTER_S = 3600.0
"""Seconds after which a draft that has not changed is one of a command that was killed."""

MAX_PARALLEL_PIXELS = 16_000_000
"""Pixels up to which images are read whole beside others. Larger ones take turns: each pixel takes
some 10 bytes.
"""

_TURN = Lock()


@dataclass(frozen=True)
class Predictions:
    """The masks that were written, the images whose masks were there already, and those that could
    not be read with the reason.
    """

    written: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: tuple[tuple[Path, str], ...]


@retain_memory()
def predict_files(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    choices: PredictOptions | None = None,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Write a mask for each image of `inputs` (see `find_images`) to the folder `out`, and what
    else is chosen.

    A few images are in work at a time, each read, labelled and written by a thread of its own.
    Georeferenced images and those above MAX_PIXELS are read by window and written as TIFF
    (`predict_raster`), one by one and without overlay. With a `recipe`, an image whose results are
    all there is left out where they were made by the same; without one all are made anew. Raises
    DataError where there is no image at all, ConfigError where two results would get one name, a
    result would overwrite an input, or the masks in `out` were made by another recipe, OutputError
    where `out` cannot be written to. Results already written are kept.
    """
    choices = choices or PredictOptions()
    progress = progress or Progress()
    folder = Path(out)
    class_ids(predictor.classes.names, choices.largest)
    images = find_images(inputs)
    beside = names_in_folder(images, folder)
    check_clashes(images, folder, choices, beside=beside, is_large=is_large)
    check_options(choices, ((image, pixel_count(image)) for image in images))
    _refuse_unfitting(predictor, images, choices)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"output folder {folder} is a file; choose another --out")
    done = dict[Path, Path]()
    origins = Origins(folder, images if recipe else ())
    if recipe is not None:
        before = _made_with(folder)
        if not recipe.overwrite:
            same = before == recipe.made_with
            there = _times(folder)
            whole = find_finished(images, folder, choices, there=there, beside=beside, same=same)
            done = {
                image: folder / mask
                for image, mask in whole.items()
                if origins.unchanged(image, mask)
            }
        if recipe.overwrite and "areas" not in choices.extras:
            remove_areas(folder / AREAS)  # it would speak of masks that are no more
        if recipe.overwrite or before != recipe.made_with:
            write_text(folder / RECIPE, recipe.as_json())
    results = (name for image in images for name in chain(*result_names(image, choices)))
    remove_stale_temp_files(folder, names=results, older=STALE_AFTER_S)
    skipped = tuple(done)
    written = list[Path]()
    failed = list[tuple[Path, str]]()
    todo = [image for image in images if image not in done]
    label = partial(label_image, predictor, folder, choices, progress)
    with closing(origins):
        for image, found in progress.track(
            zip(todo, map_ordered(label, todo), strict=True), what="predicting", total=len(todo)
        ):
            result = (
                label_large(predictor, folder, choices, progress, image)
                if isinstance(found, Large)
                else found
            )
            if isinstance(result, ImageError):
                failed.append((image, str(result)))
                progress.log(f"skipped: {result}")
            elif isinstance(result, Path):
                written.append(result)
                done[image] = result
                origins.note(image, result.name)
    if "areas" in choices.extras:
        write_areas(folder / AREAS, [done[i] for i in images if i in done], predictor.classes.names)
    return Predictions(tuple(written), skipped, tuple(failed))


def find_images(inputs: Sequence[str | Path]) -> list[Path]:
    """Files as they are, folders as the pictures in them, patterns such as `a/**/*.jpg` as what
    they match, and text files (.txt) as the images that they list, one a line, relative to the
    file's own folder.

    A file that does not exist is found out when it is read. Raises DataError for a pattern without
    match, a list that cannot be read, and where there is no image at all.
    """
    images = list(dict.fromkeys(image for given in inputs for image in _images(str(given))))
    if not images:
        raise DataError(
            f"no images in {', '.join(map(str, inputs))}; give image files or folders with "
            "images in them"
        )
    return images


def _images(given: str) -> list[Path]:
    path = Path(given)
    if path.is_dir():
        return list_images(path)
    if path.suffix.lower() == ".txt":
        return [path.parent / line for line in _lines(path)]
    if path.exists() or not glob.has_magic(given):
        return [path]
    found = sorted(Path(match) for match in glob.glob(given, recursive=True))  # noqa: PTH207  Path's takes no pattern
    if not found:
        raise DataError(
            f"no file matches {given}; put a pattern in quotes, or give files or folders"
        )
    return [image for image in found if image.is_file()]


def _lines(path: Path) -> list[str]:
    """The lines of a list of images; empty ones and those that begin with # are left out."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: cannot be read as a list of images ({error}); give a text file, a path a line"
        ) from error
    return [line for line in lines if line and not line.startswith("#")]


class Large:
    """In place of a mask: the image is to be read by window."""


def label_image(
    predictor: Predictor, folder: Path, choices: PredictOptions, progress: Progress, image: Path
) -> Path | ImageError | Large:
    """Label one image and write its results to `folder`: the mask's path, or what is wrong with the
    image.
    """
    try:
        if reads_by_window(image):
            return Large()
        alone = (pixel_count(image) or 0) > MAX_PARALLEL_PIXELS
        with _TURN if alone else nullcontext():
            return _label_whole(predictor, folder, choices, progress, image)
    except ImageError as error:
        return error


def _label_whole(
    predictor: Predictor, folder: Path, choices: PredictOptions, progress: Progress, image: Path
) -> Path:
    result = predictor.predict(
        image,
        tta=choices.tta,
        scales=choices.scales,
        smallest=choices.smallest,
        largest=choices.largest,
        scores=choices.scores,
    )
    if "polygons" in choices.extras:
        progress.log(f"{image.name}: no polygons, as it has no place on the earth")
    if "seams" in choices.extras:
        seams = Seams(predictor.plan(*result.labels.shape))
        seams.add(0, result.labels)
        progress.log(f"{image.name}: {seams}")
    mask, *others = result.save(
        folder, image.stem, overlay=choices.overlay, confidence=choices.confidence
    )
    if choices.overlay and not any(path.name == f"{image.stem}_overlay.jpg" for path in others):
        progress.log(f"{image}: no overlay, as a JPEG file holds {JPEG_SIDE} pixels a side at most")
    return mask


def label_large(
    predictor: Predictor, folder: Path, choices: PredictOptions, progress: Progress, image: Path
) -> Path | ImageError:
    """As `label_image`, for one that is Large: one at a time, as it fills the memory that is
    allowed.
    """
    if choices.overlay:
        progress.log(f"{image}: no overlay, as it is read by window")
    try:
        return predict_raster(predictor, image, folder, choices=choices, progress=progress)
    except ImageError as error:
        return error


def _made_with(folder: Path) -> dict[str, Any] | None:
    """What the folder's masks were made with, as far as it says."""
    try:
        found: dict[str, Any] = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _times(folder: Path) -> dict[str, int]:
    """The files in a folder, where there is one, with the times they were written, in
    nanoseconds.
    """
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat().st_mtime_ns for entry in entries if entry.is_file()}


def check_options(choices: PredictOptions, images: Iterable[tuple[Path | str, int | None]]) -> None:
    """Raises ConfigError for what would stop the run at some image, before the recipe is replaced:
    images with their pixels, which are looked at where it matters.
    """
    if choices.smallest > 1 or "polygons" in choices.extras:
        require_package("rasterio.features")
    if choices.needs_whole:
        for image, pixels in images:
            if (pixels or 0) > MAX_PIXELS:
                raise ConfigError(f"{image}: {TOO_LARGE}")


def _refuse_unfitting(
    predictor: Predictor, images: Sequence[Path], choices: PredictOptions
) -> None:
    """Raises ConfigError where a large image does not fit the memory allowed."""
    if predictor.max_memory is not None:
        for image in filter(is_large, images):
            with suppress(ImageError):  # one that cannot be read is named when its turn comes
                check_fits_memory(predictor, image, choices)


def names_in_folder(images: Sequence[Path], folder: Path) -> set[str]:
    """Names of the images that lie in `folder`: the files themselves, and the links to them."""
    folders = {parent: parent.resolve() for parent in {image.parent for image in images}}
    place = folder.resolve()
    places = {image.resolve() for image in images} | {
        folders[image.parent] / image.name for image in images
    }
    return {path.name for path in places if path.parent == place}


def is_large(image: Path) -> bool:
    """Whether an image will be read by window; one that cannot be read will not."""
    try:
        return reads_by_window(image)
    except ImageError:
        return False
