"""What is made of each image, beside its mask."""

from dataclasses import asdict, dataclass
from typing import Literal

from pixelwise.config_fields import Range, check_fields, option
from pixelwise.datasets.options import WITH_POLYGONS, WRITABLE, Plane, check_tolerance
from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.inference.pixel_size import PixelSize
from pixelwise.models.config import check_scales

SCORES = ("probabilities", "logits")
EXTRAS = (*SCORES, "areas", "cutouts", "objects", "polygons", "seams")

# Options that mean something beside an extra alone.
OF_EXTRAS = {
    "objects": ("split_touching", "pixel_size", "thin", "object_scores"),
    "cutouts": ("background", "foreground", "crop"),
}

_SHARE = Range(0, 1, text="0 to 1, such as 0.8")


@dataclass(frozen=True)
class PredictOptions:
    """What else is written beside the masks, and what changes the labels.

    Raises ConfigError for an unknown extra, for both kinds of scores at once, for a scale outside
    SCALES, a negative size, and a threshold outside 0 to 1.
    """

    overlay: bool = option(False, own=True)
    """Also write the image tinted by class, with a legend; that of a raster is made smaller."""

    confidence: bool = option(False, own=True)
    """Also write the softmax of each pixel's label."""

    extras: tuple[str, ...] = option(
        (),
        own=True,
        cli="also",
        metavar="|".join(EXTRAS),
        choices=EXTRAS,
    )
    """Also write the scores of all classes (probabilities or logits), a table of the areas of the
    classes, cut-outs of the photos with a soft edge, a table of the connected objects with a map of
    them beside each mask, polygons of georeferenced rasters, or a measure of the seams between
    tiles; repeat it for several.
    """

    background: str | None = option(None, own=True, metavar="COLOUR|blur|FILE")
    """Put cut-outs in front of a colour, the blurred photo or a picture; without it what is around
    them is transparent.
    """

    foreground: tuple[str, ...] = option((), own=True, metavar="CLASS")
    """Classes that stay in cut-outs, by default all but the background; repeat it for several."""

    crop: bool = option(False, own=True)
    """Crop cut-outs to what stays."""

    split_touching: bool = option(False, own=True)
    """Of objects that touch, part those that are several blobs (extra objects)."""

    thin: tuple[str, ...] = option((), own=True, metavar="CLASS")
    """Measure length and width of this class's objects along their middle line, as of cracks and
    roots (extra objects); repeat it for several.
    """

    object_scores: str | None = option(None, own=True, metavar="FILE")
    """JSON file of `evaluate --objects`: its errors give numbers of objects a 95 % interval."""

    pixel_size: str | None = option(None, own=True, metavar="LENGTH")
    """Side of a pixel with its unit, such as 0.25um, for the figures of objects."""

    to: str | None = option(None, own=True, metavar="FORMAT", choices=WRITABLE)
    """Also write images and labels for an annotation tool, to correct them there, in a folder of
    this name beside the masks: labelme, cvat, coco, yolo, geojson, labelstudio, supervisely, voc or
    folder.
    """

    polygon_tolerance: float | None = option(None, own=True, metavar="PIXELS")
    """How far outlines of --to may leave the edges of pixels, so that they have few corners; 1 by
    default, 0 keeps every pixel.
    """

    frames: Literal["first", "all"] | None = option(None, own=True)
    """Of a file of several frames or pages label the first or all, each to a mask of its own
    (scan_0001.png). Without it the first, and how many there are is said.
    """

    smooth: int = option(
        0, own=True, metavar="FRAMES", valid=Range(0, 25, text="0 to 25, such as 1")
    )
    """Of a film, average the scores with those of as many frames before and behind, where the
    picture stays the same: labels flicker less.
    """

    plane: Plane | None = option(None, own=True)
    """Plane in which volumes (.nii, .nii.gz) are labelled, that of the training's slices; axial by
    default.
    """

    threshold: float = option(0.0, own=True, metavar="SHARE", valid=_SHARE)
    """Pixels of less confidence (0 to 1) become void, 255, as in serve."""

    tta: bool = option(False, own=True)
    """Test-time augmentation: average with the mirrored image; takes twice the time."""

    scales: tuple[float, ...] = option((), own=True, cli="scale", metavar="S")
    """Average over several sizes, 1 being the picture's own; repeat it for each. By default a photo
    far larger or smaller than the training's is seen at their size.
    """

    smallest: int = option(0, own=True, cli="smallest_area", metavar="PIXELS")
    """Regions of fewer pixels take the label of their largest neighbour (extra raster)."""

    largest: tuple[str, ...] = option((), own=True, metavar="CLASS")
    """Keep only the largest region of this class in each image; repeat it for several classes."""

    def __post_init__(self) -> None:
        if self.to is not None and self.to not in WRITABLE:
            raise unknown_choice_error("format to write", self.to, WRITABLE)
        check_fields(self)
        for extra in self.extras:
            if extra not in EXTRAS:
                raise unknown_choice_error("extra", extra, EXTRAS)
        if set(SCORES) <= set(self.extras):
            raise ConfigError(
                "probabilities and logits: choose one of them; each follows from the other"
            )
        check_scales(self.scales)
        for extra, names in OF_EXTRAS.items():
            for name in names:
                if getattr(self, name) and extra not in self.extras:
                    raise ConfigError(f"{name} is for {extra}: add --also {extra}, or leave it out")
        if self.pixel_size is not None:
            PixelSize.parse(self.pixel_size)
        if self.object_scores and (self.needs_whole or self.threshold):
            raise ConfigError(
                "object_scores are of labels as the network gives them: leave it out, or "
                "smallest_area, largest and threshold"
            )
        if self.polygon_tolerance is not None:
            if self.to is None:
                raise ConfigError("polygon_tolerance is for polygons: add --to, or leave it out")
            check_tolerance(self.polygon_tolerance, self.to)
        if self.smallest < 0:
            raise ConfigError(f"smallest area {self.smallest}: give a number of pixels, 0 for none")

    @property
    def scores(self) -> str | None:
        """`probabilities`, `logits`, or None."""
        for extra in self.extras:
            if extra in SCORES:
                return extra
        return None

    @property
    def outline_tolerance(self) -> float:
        """Pixels by which the outlines of `to` may be thinned."""
        if self.polygon_tolerance is not None:
            return self.polygon_tolerance
        return 1.0 if self.to in WITH_POLYGONS else 0.0

    @property
    def needs_whole(self) -> bool:
        """Whether labels change by what is far from them, so that those of a picture are held at
        once.
        """
        return self.smallest > 1 or bool(self.largest)

    def recipe(self) -> dict[str, object]:
        """The choices that change the labels and the cut-outs, as JSON values."""
        values = asdict(self)
        recipe = {key: values[key] for key in ("tta", "scales", "smallest", "largest")}
        # left out where they change nothing: folders of versions without them stay what they are
        rarer = ("threshold", "smooth", "plane", *OF_EXTRAS["cutouts"])
        return recipe | {key: values[key] for key in rarer if values[key]}
