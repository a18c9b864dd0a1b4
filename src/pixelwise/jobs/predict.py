"""Many images to masks on disk: reading, inference and writing overlap; a broken one is named, the others go on."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.checkpoint import model_path
from pixelwise.errors import ConfigError, DataError, ImageError, OutputError
from pixelwise.files import write_text
from pixelwise.images import Array, list_images, read_rgb
from pixelwise.inference.auto import model_key
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.inference.raster import predict_raster, reads_by_window
from pixelwise.monitor import Monitor

AHEAD = 4
"""Images that are read before their turn, and results that wait to be written, at most."""

MANIFEST = ".pixelwise.json"
"""In the output folder: what the masks there were made with, so that a second call knows which it can leave."""


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
        path = model if model.suffix == ".onnx" else model_path(model)
        return cls({"model": model_key(path), **json.loads(json.dumps(options))}, overwrite)


def predict_files(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    overlay: bool = False,
    confidence: bool = False,
    tta: bool = False,
    recipe: Recipe | None = None,
    monitor: Monitor | None = None,
) -> Predictions:
    """Write a mask for each image of `inputs`, files or folders, to the folder `out`.

    Georeferenced images and those above MAX_PIXELS are read by window and written as TIFF (`predict_raster`), without
    overlay. With a `recipe`, an image whose results are all there is left out where they were made by the same; without
    one all are made anew. Raises DataError where there is no image at all, ConfigError where two results would get one
    name, a result would overwrite an input, or the masks in `out` were made by another recipe, OutputError where `out`
    cannot be written to. Results already written are kept.
    """
    monitor, folder = monitor or Monitor(), Path(out)
    images = find_images(inputs)
    _refuse_clashes(images, folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"output folder {folder} is a file; choose another --out")
    endings = [".png", *["_overlay.jpg"] * overlay, *["_confidence.png"] * confidence]
    skipped = list[Path]()
    if recipe is not None:
        before = _made_with(folder)
        if not recipe.overwrite:
            skipped = _finished(images, folder, endings, same=before == recipe.made_with)
        if recipe.overwrite or before != recipe.made_with:
            write_text(folder / MANIFEST, json.dumps(recipe.made_with, indent=2, sort_keys=True) + "\n")
    todo = [image for image in images if image not in set(skipped)]
    failed: list[tuple[Path, str]] = []
    with _Writer(folder, overlay=overlay, confidence=confidence) as writer:
        for image, rgb in monitor.track(_read_ahead(todo), what="predicting", total=len(todo)):
            try:
                if isinstance(rgb, _Large):
                    if overlay:
                        monitor.line(f"{image}: no overlay, as it is read by window")
                    raster = predict_raster(predictor, image, folder, confidence=confidence, tta=tta, monitor=monitor)
                    writer.written.append(raster.labels)
                    continue
                result = predictor.predict(_or_raise(rgb), tta=tta)
            except ImageError as error:
                failed.append((image, str(error)))
                monitor.line(f"skipped: {error}")
                continue
            writer.write(result, image.stem)
    return Predictions(tuple(writer.written), tuple(skipped), tuple(failed))


def find_images(inputs: Sequence[str | Path]) -> list[Path]:
    """Files as they are, folders as the pictures in them. A file that does not exist is found out when it is read."""
    images: list[Path] = []
    for path in map(Path, inputs):
        images += list_images(path) if path.is_dir() else [path]
    if not images:
        raise DataError(f"no images in {', '.join(map(str, inputs))}; give image files or folders with images in them")
    return images


class _Writer:
    """Writes results in a thread; at most AHEAD wait. An error of writing is raised at the next write or at the end."""

    def __init__(self, folder: Path, *, overlay: bool, confidence: bool) -> None:
        self.folder, self.overlay, self.confidence = folder, overlay, confidence
        self.written: list[Path] = []
        self._pool = ThreadPoolExecutor(1)
        self._waiting = deque[Future[list[Path]]]()

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self._waiting:
                self._take()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)  # what is being written is finished, whole

    def write(self, result: Result, stem: str) -> None:
        if len(self._waiting) >= AHEAD:
            self._take()
        save = self._pool.submit(result.save, self.folder, stem, overlay=self.overlay, confidence=self.confidence)
        self._waiting.append(save)

    def _take(self) -> None:
        self.written.append(self._waiting.popleft().result()[0])


class _Large:
    """In place of pixels: the image is to be read by window."""


def _read_ahead(images: Sequence[Path]) -> Iterator[tuple[Path, Array | ImageError | _Large]]:
    """Each image with its pixels, or with what is wrong with it; the next ones are read in the meantime."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque[Future[Array | ImageError | _Large]]()
        try:
            for index, image in enumerate(images):
                for following in images[index + len(waiting) : index + AHEAD]:
                    waiting.append(pool.submit(_read, following))
                yield image, waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(path: Path) -> Array | ImageError | _Large:
    try:
        return _Large() if reads_by_window(path) else read_rgb(path)
    except ImageError as error:
        return error


def _or_raise(rgb: Array | ImageError) -> Array:
    if isinstance(rgb, ImageError):
        raise rgb
    return rgb


def _made_with(folder: Path) -> dict[str, Any] | None:
    """What the folder's masks were made with, as far as it says."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _finished(images: Sequence[Path], folder: Path, endings: Sequence[str], *, same: bool) -> list[Path]:
    """The images whose results are in `folder`, made by the `same` recipe. Raises ConfigError where by another.

    Results older than the manifest were there before its recipe: a call with --overwrite was stopped before it came to
    them.
    """
    rasters = [ending.rpartition(".")[0] + ".tif" for ending in endings if "overlay" not in ending]
    results = {
        image: [[folder / f"{image.stem}{ending}" for ending in kind] for kind in (endings, rasters)]
        for image in images
    }
    done = {i: next((r for r in kinds if all(p.is_file() for p in r)), None) for i, kinds in results.items()}
    there = {image: paths for image, paths in done.items() if paths}
    if there and not same:
        raise ConfigError(
            f"{folder} has masks of {len(there)} of these images, made with another model or other options; give "
            "--overwrite to make them anew, or another --out"
        )
    since = (folder / MANIFEST).stat().st_mtime_ns if there else 0
    return [image for image, paths in there.items() if min(path.stat().st_mtime_ns for path in paths) >= since]


def _refuse_clashes(images: Sequence[Path], folder: Path) -> None:
    by_stem: dict[str, Path] = {}
    for image in images:
        if image.stem in by_stem:
            raise ConfigError(
                f"{by_stem[image.stem]} and {image} would both be written as {image.stem}.png; "
                "predict them into two folders"
            )
        by_stem[image.stem] = image
    sources = {image.resolve() for image in images}
    lost = [image for image in images if (folder / f"{image.stem}.png").resolve() in sources]
    lost += [i for i in images if (folder / f"{i.stem}.tif").resolve() in sources and reads_by_window(i)]
    if lost:
        raise ConfigError(f"the mask of {lost[0]} would overwrite an input image; choose another --out than {folder}")
