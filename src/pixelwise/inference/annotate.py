"""Masks of photos written for annotation tools, in which people correct them."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError
from pixelwise.inference.image_info import ImageInfos
from pixelwise.inference.output_folder import is_on_disk
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.atomic import check_is_new
from pixelwise.io.frames import parse_frame
from pixelwise.io.images import Array
from pixelwise.io.storage import Store
from pixelwise.progress import Progress

# How Label Studio calls the author of a prediction.
AUTHOR = "pixelwise"


def check_annotations(
    options: PredictOptions, store: Store, images: Collection[str], infos: ImageInfos
) -> None:
    """Raises ConfigError for images that an annotation tool cannot be handed: those in stores and
    archives, single frames, and rasters; OutputError where what was written before would be lost.
    """
    if options.to is None:
        return
    if store.local is None:
        raise ConfigError(f"--to {options.to} writes to a disk: give a folder as --out")
    check_is_new(store.local / options.to)
    for image in images:
        what = ""
        if not is_on_disk(image):
            what = "is no file of its own on this disk"
        elif parse_frame(image) is not None:
            what = "is one of several frames; leave out --frames all"
        elif infos.is_large(image):
            what = "is labelled as a raster, in a TIFF; --also polygons outlines rasters"
        if what:
            raise ConfigError(f"--to {options.to} is for photos on disk: {image} {what}")


def write_annotations(
    options: PredictOptions,
    store: Store,
    masks: Mapping[str, str],
    classes: Classes,
    progress: Progress,
) -> list[str]:
    """Write images and masks, by the images, in the format `options.to`; lines on what was
    written, none where nothing was asked for or no mask is there.
    """
    if options.to is None or store.local is None or not masks:
        return []
    # A prediction alone need not wait for these.
    from pixelwise.datasets.conversion import write_dataset
    from pixelwise.datasets.types import DataSet, Pair

    folder = store.local
    pairs = []
    names = set[str]()
    for image, mask in sorted(masks.items()):
        name = Path(mask).with_suffix("").as_posix().replace("/", "_")
        if name in names:
            raise ConfigError(f"--to {options.to}: two images would be called {name}; rename one")
        names.add(name)
        pairs.append(Pair(name, Path(image), folder / mask))
    dataset = DataSet("folder", folder, classes, {"train": tuple(pairs)}, _read_mask, ())
    result = write_dataset(
        dataset,
        folder / options.to,
        to=options.to,
        polygon_tolerance=options.outline_tolerance,
        model=AUTHOR,
        progress=progress,
    )
    return [*result.lines(), *(f"left out: {reason}" for _, reason in result.left_out)]


def _read_mask(path: Path) -> Array:
    with Image.open(path) as image:
        return np.asarray(image)
