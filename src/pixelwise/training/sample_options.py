"""The options of a training's samples: which are made of the data, and their random changes."""

from dataclasses import dataclass
from typing import Literal

from pixelwise.config_fields import Range, Rule, check_fields, not_allowed_error, option

Strength = Literal["none", "slight", "light", "medium", "strong"]
PASTE_CLASSES = ("half", "rare")

_NOT_NEGATIVE = Range(0, text="0 or more")
_SHARE = Range(0, 1, text="a share from 0 to 1")
_BELOW_ONE = Range(0, 1, high_open=True, text="a number from 0 to below 1")


def _is_crop(crop: tuple[int, int]) -> bool:
    return all(side >= 32 and side % 32 == 0 for side in crop)


def _is_scale_range(scale: tuple[float, float]) -> bool:
    low, high = scale
    return 0 < low <= high <= 16


@dataclass(frozen=True)
class LoadingOptions:
    """Which samples are made of the data, and how they are loaded."""

    crop: tuple[int, int] | None = option(
        None,
        own=True,
        metavar="H W",
        valid=Rule(_is_crop, "two multiples of 32 (height width), at least 32"),
    )
    """Height and width of a training sample, multiples of 32; chosen from the images by default."""

    batch: int | None = option(
        None,
        own=True,
        valid=Range(2, text="at least 2, as batch normalisation needs more than one image"),
    )
    """Samples in a batch; by default 8, on a GPU 16, fewer where memory is short."""

    workers: int | None = option(None, valid=_NOT_NEGATIVE)
    """Processes that decode and augment samples; by default one of every two cores, none for a few
    images.
    """

    cache: int | None = option(None, valid=Range(0, text="MiB, 0 or more"))
    """MiB of memory for decoded images, 0 for none; an eighth of the free memory by default."""

    skip_broken: bool = option(False, own=True)
    """Leave out files that cannot be read, and pairs whose sizes differ."""

    bands: str | None = option(None, own=True, metavar="BANDS")
    """Bands that are trained on, by name or number, such as 4,3,2 or nir,red; by default all of
    images that are no photos.
    """

    value_range: str = option("percentile", metavar="percentile|deviation|LOW,HIGH")
    """Values of other images than photos that become black and white: percentile (all but a
    thousandth at either end), deviation (the mean and three standard deviations beside it), or two
    numbers for all bands.
    """

    drop_small: bool = option(False)
    """Leave out images smaller than the crop instead of padding them."""

    unlabelled: str | None = option(None, own=True, metavar="FOLDER")
    """Images without masks. The trained model labels them, trains on with what it is sure of, and
    the result is kept where it is better on the validation images.
    """

    rounds: int | None = option(None, valid=Range(1, 10, text="a whole number from 1 to 10"))
    """Rounds of labelling the images without masks; by default 1, with many minutes up to 3."""

    void_as_background: bool = option(False)
    """Train void pixels as class 0; only for comparison with sources that do so."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class AugmentOptions:
    """Random changes of the training samples."""

    augment: Strength | None = option(None, own=True)
    """Strength of the augmentation; by default strong, and slight where a training has few
    steps.
    """

    scale: tuple[float, float] | None = option(
        None, valid=Rule(_is_scale_range, "two numbers, 0 < low <= high <= 16")
    )
    """Lowest and highest factor of random resizing; by default that of `augment`, less for images
    far larger than the crop.
    """

    one_size: bool | None = option(None)
    """Whether images of all sizes are resized to the median one, in training and in prediction; by
    default where sizes differ much and the things in the images grow with them.
    """

    jitter: float | None = option(None, valid=_BELOW_ONE)
    """Largest relative change of brightness, contrast and saturation; that of `augment` by
    default.
    """

    mirror: bool | None = option(None)
    """Mirror half of the samples; that of `augment` by default."""

    upright: bool = option(True)
    """Whether the images have an up. False for pictures from above or under a microscope: these are
    also turned by quarters.
    """

    paste: float = option(0.0, valid=_SHARE)
    """Share of the samples over which classes of another sample are pasted (ClassMix)."""

    paste_classes: Literal["half", "rare"] = option("half")
    """What is pasted: half of the other sample's classes, or those rarer than the median class."""

    def __post_init__(self) -> None:
        allowed = "half, or rare with a paste above 0"
        if self.paste_classes not in PASTE_CLASSES:
            raise not_allowed_error("paste_classes", self.paste_classes, allowed)
        check_fields(self)
        if self.paste_classes == "rare" and not self.paste:
            raise not_allowed_error("paste_classes", self.paste_classes, allowed)
