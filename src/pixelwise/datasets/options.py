"""How a data set is read; importing this imports neither NumPy nor PyTorch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pixelwise.config_fields import check_names, option
from pixelwise.errors import ConfigError

FORMATS = (
    "auto",
    "voc",
    "camvid",
    "matte",
    "coco",
    "cvat",
    "supervisely",
    "cityscapes",
    "cityscapes-all",
    "ade20k",
    "labelme",
    "labelstudio",
    "geojson",
    "via",
    "yolo",
    "nnunet",
    "layers",
    "lists",
    "folder",
    "rle",
    "parquet",
    "webdataset",
)

MAX_GAP = 16
"""Pixels by which objects that touch may be cut back."""

Plane = Literal["axial", "coronal", "sagittal"]
"""In which volumes are cut into slices."""

WITH_POLYGONS = ("coco", "labelme", "cvat", "yolo", "geojson")
"""Formats that hold outlines, which may be thinned."""

WRITABLE = ("folder", "voc", *WITH_POLYGONS, "labelstudio", "supervisely")
"""Formats that `convert` and `predict --to` write."""


def check_tolerance(tolerance: float, to: str) -> None:
    """Raises ConfigError for a tolerance that is none, and for one of a format without polygons."""
    if not 0 <= tolerance < math.inf:
        raise ConfigError(f"polygon_tolerance {tolerance:g}: give a number of pixels, 0 for none")
    if tolerance and to not in WITH_POLYGONS:
        raise ConfigError(
            f"polygon_tolerance is for {', '.join(WITH_POLYGONS)}; {to} holds every pixel: leave "
            "it out"
        )


@dataclass(frozen=True)
class DataOptions:
    """How a data set is opened. Raises ConfigError for a value that is not allowed."""

    format: str = option("auto", own=True, metavar="FORMAT", choices=FORMATS)
    """Format of the data: auto (detected), voc, camvid, matte, coco, cvat, supervisely, cityscapes,
    cityscapes-all, ade20k, labelme, labelstudio, geojson, via, yolo, nnunet, layers, lists, folder,
    rle, parquet or webdataset.
    """

    mask_folder: str | None = option(None, own=True, metavar="FOLDER", cli="masks")
    """Name of the folder of masks beside that of images, where several may be it."""

    seed: int = option(0, own=True)
    """Random seed of the held-out splits."""

    val_fraction: float = option(0.15)
    """Share of the images (above 0, below 0.5) that is held out where there is no val split."""

    group: str | None = option(None, own=True, metavar="PATTERN")
    """Regular expression of image names: images with equal text in its brackets, as the film in
    `'(.*)_[0-9]+'`, are kept in one split. By default as groups.csv in the data set says, if any.
    """

    val_images: tuple[str, ...] = option(())
    """Images that are val, by their paths within the data set; all others of train and val are
    train, whatever splits are on disk. `train --folds` gives each fold its own.
    """

    matte_threshold: int = option(128, own=True, cli="threshold")
    """Alpha mattes: pixels of this alpha (1 to 255) or more are person."""

    matte: bool = option(False, own=True)
    """Alpha mattes: learn how much of a pixel is covered, not its class, and score alpha."""

    skip_unpaired: bool = option(False, own=True)
    """Leave out images without a mask, and masks without an image."""

    skip_broken: bool = option(False, own=True)
    """Leave out files that cannot be read, and pairs whose sizes differ."""

    instances: bool = option(False, own=True)
    """Masks that hold one id for each object: read all objects as one class, foreground."""

    multilabel: bool = option(False, own=True)
    """Keep all classes of a pixel where masks of classes overlap, as of a logo on a shirt: each
    class has a score of its own. For a mask a class, outlines and masks of a band a class.
    """

    merge: tuple[str, ...] = option((), own=True, metavar="NAME=CLASS,...")
    """Read several classes as one, such as vehicle=car,bus; repeat it for more. Of a single class
    it is the new name.
    """

    drop: tuple[str, ...] = option((), own=True, metavar="CLASS")
    """Read a class as void; repeat it for several."""

    object_gap: int = option(0, own=True, metavar="PIXELS")
    """Cut objects that touch back by so many pixels in the training masks, so that the network
    leaves a gap between them; for data that tells objects apart.
    """

    tree: tuple[str, ...] = option((), own=True, metavar="NAME=CLASS,...")
    """Classes that belong together, such as vehicle=car,bus: they are scored as one too, and data
    that knows vehicles alone can be scored. Repeat it for more; by default as classes.json says.
    """

    hold_out: bool = option(True)
    """Hold out missing splits; False leaves the splits as they are on disk."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Options by name. Raises ConfigError for a name that is no field, with the nearest one."""
        check_names(values, cls)
        return cls(**values)

    def __post_init__(self) -> None:
        for name in ("val_images", "merge", "drop", "tree"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        if not 0 < self.val_fraction < 0.5:
            raise ConfigError(
                f"val_fraction {self.val_fraction}: choose a number above 0 and below 0.5, "
                "such as 0.15"
            )
        if not 0 <= self.object_gap <= MAX_GAP:
            raise ConfigError(
                f"object_gap {self.object_gap}: choose 0 to {MAX_GAP} pixels, such as 1"
            )
        if not 1 <= self.matte_threshold <= 255:
            raise ConfigError(
                f"matte_threshold {self.matte_threshold}: choose an alpha from 1 to 255, such "
                "as 128"
            )
