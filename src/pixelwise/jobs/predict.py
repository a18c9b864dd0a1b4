"""Many images to masks on disk; a broken one is named and the others go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import ConfigError, DataError, ImageError, OutputError
from pixelwise.images import list_images
from pixelwise.inference.predictor import Predictor
from pixelwise.monitor import Monitor


@dataclass(frozen=True)
class Predictions:
    """The masks that were written, and the images that could not be read with the reason."""

    written: tuple[Path, ...]
    failed: tuple[tuple[Path, str], ...]


def predict_files(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    overlay: bool = False,
    confidence: bool = False,
    tta: bool = False,
    monitor: Monitor | None = None,
) -> Predictions:
    """Write a mask for each image of `inputs`, files or folders, to the folder `out`.

    Raises DataError where there is no image at all, ConfigError where two results would get one name or a result would
    overwrite an input, OutputError where `out` cannot be written to. Results already written are kept.
    """
    monitor, folder = monitor or Monitor(), Path(out)
    images = find_images(inputs)
    _refuse_clashes(images, folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"output folder {folder} is a file; choose another --out")
    written: list[Path] = []
    failed: list[tuple[Path, str]] = []
    for image in monitor.track(images, what="predicting", total=len(images)):
        try:
            result = predictor.predict(image, tta=tta)
        except ImageError as error:
            failed.append((image, str(error)))
            monitor.line(f"skipped: {error}")
            continue
        written += result.save(folder, image.stem, overlay=overlay, confidence=confidence)[:1]
    return Predictions(tuple(written), tuple(failed))


def find_images(inputs: Sequence[str | Path]) -> list[Path]:
    """Files as they are, folders as the pictures in them. A file that does not exist is found out when it is read."""
    images: list[Path] = []
    for path in map(Path, inputs):
        images += list_images(path) if path.is_dir() else [path]
    if not images:
        raise DataError(f"no images in {', '.join(map(str, inputs))}; give image files or folders with images in them")
    return images


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
    if lost:
        raise ConfigError(f"the mask of {lost[0]} would overwrite an input image; choose another --out than {folder}")
