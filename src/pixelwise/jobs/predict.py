"""Many images to masks on disk: reading, inference and writing overlap; a broken one is named, the others go on."""

import glob
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pixelwise.checkpoint import model_path
from pixelwise.errors import ConfigError, DataError, ImageError, OutputError
from pixelwise.files import write_text
from pixelwise.images import MAX_PIXELS, list_images, pixel_count
from pixelwise.inference.areas import remove_areas, write_areas
from pixelwise.inference.auto import model_key
from pixelwise.inference.choices import Choices
from pixelwise.inference.load import EXPORTED
from pixelwise.inference.packages import demand
from pixelwise.inference.parallel import ahead
from pixelwise.inference.predictor import JPEG_SIDE, Predictor
from pixelwise.inference.raster import predict_raster, reads_by_window, refuse_unfitting
from pixelwise.inference.regions import TOO_LARGE
from pixelwise.inference.seams import Seams
from pixelwise.monitor import Monitor

MANIFEST = ".pixelwise.json"
"""In the output folder: what the masks there were made with, so that a second call knows which it can leave."""

AREAS = "areas.csv"


@dataclass(frozen=True)
class Predictions:
    """The masks that were written, the images whose masks were there already, and those that could not be read with the
    reason.
    """

    written: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Recipe:
    """What masks are made with: the model's content and the options that change them. `overwrite`: make all anew."""

    made_with: dict[str, Any]
    overwrite: bool = False

    @classmethod
    def of(cls, model: Path, *, overwrite: bool, **options: object) -> "Recipe":
        """That of a run folder or model file and JSON-like options."""
        path = model if model.suffix in EXPORTED else model_path(model)
        return cls({"model": model_key(path), **json.loads(json.dumps(options))}, overwrite)


def predict_files(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    choices: Choices | None = None,
    recipe: Recipe | None = None,
    monitor: Monitor | None = None,
) -> Predictions:
    """Write a mask for each image of `inputs` (see `find_images`) to the folder `out`, and what else is chosen.

    A few images are in work at a time, each read, labelled and written by a thread of its own. Georeferenced images and
    those above MAX_PIXELS are read by window and written as TIFF (`predict_raster`), one by one and without overlay.
    With a `recipe`, an image whose results are all there is left out where they were made by the same; without one all
    are made anew. Raises DataError where there is no image at all, ConfigError where two results would get one name, a
    result would overwrite an input, or the masks in `out` were made by another recipe, OutputError where `out` cannot
    be written to. Results already written are kept.
    """
    choices, monitor, folder = choices or Choices(), monitor or Monitor(), Path(out)
    images = find_images(inputs)
    _refuse_clashes(images, folder, choices)
    _refuse_unable(predictor, images, choices)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"output folder {folder} is a file; choose another --out")
    done = dict[Path, Path]()
    if recipe is not None:
        before = _made_with(folder)
        if not recipe.overwrite:
            done = _finished(images, folder, choices, same=before == recipe.made_with)
        if recipe.overwrite and "areas" not in choices.extras:
            remove_areas(folder / AREAS)  # it would speak of masks that are no more
        if recipe.overwrite or before != recipe.made_with:
            write_text(folder / MANIFEST, json.dumps(recipe.made_with, indent=2, sort_keys=True) + "\n")
    skipped, written, failed = tuple(done), list[Path](), list[tuple[Path, str]]()
    todo = [image for image in images if image not in done]
    label = partial(_label, predictor, folder, choices, monitor)
    for image, found in monitor.track(zip(todo, ahead(label, todo), strict=True), what="predicting", total=len(todo)):
        result = found
        if isinstance(found, _Large):
            result = _label_large(predictor, image, folder, choices, monitor)
        if isinstance(result, ImageError):
            failed.append((image, str(result)))
            monitor.line(f"skipped: {result}")
        elif isinstance(result, Path):
            written.append(result)
            done[image] = result
    if "areas" in choices.extras:
        write_areas(folder / AREAS, [done[i] for i in images if i in done], predictor.classes.names)
    return Predictions(tuple(written), skipped, tuple(failed))


def find_images(inputs: Sequence[str | Path]) -> list[Path]:
    """Files as they are, folders as the pictures in them, patterns such as `a/**/*.jpg` as what they match, and text
    files (.txt) as the images that they list, one a line, relative to the file's own folder.

    A file that does not exist is found out when it is read. Raises DataError for a pattern without match, a list that
    cannot be read, and where there is no image at all.
    """
    images = list(dict.fromkeys(image for given in inputs for image in _images(str(given))))
    if not images:
        raise DataError(f"no images in {', '.join(map(str, inputs))}; give image files or folders with images in them")
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
        raise DataError(f"no file matches {given}; put a pattern in quotes, or give files or folders")
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


class _Large:
    """In place of a mask: the image is to be read by window."""


def _label(
    predictor: Predictor, folder: Path, choices: Choices, monitor: Monitor, image: Path
) -> Path | ImageError | _Large:
    """The mask of an image, or what is wrong with the image."""
    try:
        if reads_by_window(image):
            return _Large()
        result = predictor.predict(
            image, tta=choices.tta, scales=choices.scales, smallest=choices.smallest, scores=choices.scores
        )
    except ImageError as error:
        return error
    if "seams" in choices.extras:
        seams = Seams(predictor.plan(*result.labels.shape))
        seams.add(0, result.labels)
        monitor.line(f"{image.name}: {seams}")
    mask, *others = result.save(folder, image.stem, overlay=choices.overlay, confidence=choices.confidence)
    if choices.overlay and not any(path.name == f"{image.stem}_overlay.jpg" for path in others):
        monitor.line(f"{image}: no overlay, as a JPEG file holds {JPEG_SIDE} pixels a side at most")
    return mask


def _label_large(
    predictor: Predictor, image: Path, folder: Path, choices: Choices, monitor: Monitor
) -> Path | ImageError:
    if choices.overlay:
        monitor.line(f"{image}: no overlay, as it is read by window")
    try:
        return predict_raster(predictor, image, folder, choices=choices, monitor=monitor)
    except ImageError as error:
        return error


def _made_with(folder: Path) -> dict[str, Any] | None:
    """What the folder's masks were made with, as far as it says."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _finished(images: Sequence[Path], folder: Path, choices: Choices, *, same: bool) -> dict[Path, Path]:
    """The images whose results are all in `folder`, made by the `same` recipe, with their masks. Raises ConfigError
    where there is a mask by another, whatever else is or is not beside it.

    Results older than the manifest were there before its recipe: a call with --overwrite was stopped before it came to
    them.
    """
    given, place = _places(images), folder.resolve()  # where results go beside the images, an image is no mask
    there, masks = dict[Path, list[Path]](), 0
    for image in images:
        kinds = [paths for paths in _results(image, folder, choices) if place / paths[0].name not in given]
        kinds = [paths for paths in kinds if paths[0].is_file()]
        masks += bool(kinds)
        found = next((paths for paths in kinds if all(path.is_file() for path in paths)), None)
        if found:
            there[image] = found
    if masks and not same:
        raise ConfigError(
            f"{folder} has masks of {masks} of these images, made with another model or other options; give "
            "--overwrite to make them anew, or another --out"
        )
    since = (folder / MANIFEST).stat().st_mtime_ns if there else 0
    return {i: paths[0] for i, paths in there.items() if min(path.stat().st_mtime_ns for path in paths) >= since}


def _results(image: Path, folder: Path, choices: Choices) -> tuple[list[Path], list[Path]]:
    """What an image becomes, the mask first: where it is read at once, and where by window."""
    names = [*["confidence"] * choices.confidence, *[choices.scores] * bool(choices.scores)]
    plain = [".png", *["_overlay.jpg"] * choices.overlay]
    plain += [f"_{name}.png" if name == "confidence" else f"_{name}.npz" for name in names]
    raster = [".tif", *(f"_{name}.tif" for name in names), *[".geojson"] * ("polygons" in choices.extras)]
    return [folder / f"{image.stem}{end}" for end in plain], [folder / f"{image.stem}{end}" for end in raster]


def _refuse_clashes(images: Sequence[Path], folder: Path, choices: Choices) -> None:
    """Raises ConfigError where two images would give files of one name, or a result would replace an input."""
    by_path, given, place = dict[Path, Path](), _places(images), folder.resolve()
    for image in images:
        plain, raster = _results(image, place, choices)
        for path in (*plain, *raster):
            other = by_path.setdefault(path, image)
            if other != image:
                raise ConfigError(
                    f"{other} and {image} would both be written as {path.name}; predict them into two folders"
                )
        lost = [path for path in plain if path in given]
        lost += [path for path in raster if path in given and _is_large(image)]
        if lost:
            raise ConfigError(
                f"{lost[0].name}, a result of {image}, would overwrite an input image; choose another --out than "
                f"{folder}"
            )


def _refuse_unable(predictor: Predictor, images: Sequence[Path], choices: Choices) -> None:
    """Raises ConfigError for what would stop the run at some image, before the manifest is replaced."""
    if choices.smallest > 1 or "polygons" in choices.extras:
        demand("rasterio.features")
    if choices.smallest > 1:
        for image in images:
            if (pixel_count(image) or 0) > MAX_PIXELS:
                raise ConfigError(f"{image}: {TOO_LARGE}")
    if predictor.max_memory is not None:
        for image in filter(_is_large, images):
            with suppress(ImageError):  # one that cannot be read is named when its turn comes
                refuse_unfitting(predictor, image, choices)


def _places(images: Sequence[Path]) -> set[Path]:
    """Where the images lie: the files themselves, and the links to them."""
    folders = {folder: folder.resolve() for folder in {image.parent for image in images}}
    return {image.resolve() for image in images} | {folders[image.parent] / image.name for image in images}


def _is_large(image: Path) -> bool:
    try:
        return reads_by_window(image)
    except ImageError:  # nothing will be written for it
        return False
