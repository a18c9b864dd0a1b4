"""How another library prepares an image for its network, as its own files say it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.errors import ModelError
from pixelwise.models.picture_sizes import PictureSizes

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Most photos are so much wider than high, or higher than wide.
_PHOTO_RATIO = 4 / 3

# Pictures within this factor of the size that a network expects cause no remark.
_USUAL = 4


@dataclass(frozen=True)
class InputRules:
    """Mean and deviation of RGB in [0, 1], the order of the channels and the size of pictures."""

    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    is_bgr: bool = False
    """Whether the network takes blue, green, red; mean and deviation are in RGB's order."""

    side: int | None = None
    """Square root of height times width to which pictures are resized; None for their own size."""

    def sizes(self) -> PictureSizes | None:
        """At which size pictures are seen; None for their own."""
        if self.side is None:
            return None
        smallest = max(1, self.side // _USUAL)
        return PictureSizes(self.side, smallest, self.side * _USUAL, framed=True, varied=True)


def side_of_short_edge(edge: int) -> int:
    """The side of a usual photo whose shorter edge has so many pixels."""
    return round(edge * math.sqrt(_PHOTO_RATIO))


def read_preprocessor(raw: Mapping[str, Any]) -> InputRules:
    """The rules of transformers' preprocessor_config.json. Raises ModelError for those that cannot
    be followed.
    """
    try:
        return _read(raw)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(
            f"preprocessor_config.json is damaged ({type(error).__name__}: {error}); copy it again"
        ) from error


def _read(raw: Mapping[str, Any]) -> InputRules:
    # the networks see [0, 1] divided by 255 unless the file says otherwise
    factor = float(raw.get("rescale_factor", 1 / 255)) if raw.get("do_rescale", True) else 1.0
    has_mean = raw.get("do_normalize")
    if has_mean is None:  # the processors that flip, MobileViT's, do not
        has_mean = "do_flip_channel_order" not in raw
    mean = _three(raw.get("image_mean", IMAGENET_MEAN) if has_mean else 0.0)
    std = _three(raw.get("image_std", IMAGENET_STD) if has_mean else 1.0)
    scale = 255 * factor
    return InputRules(
        tuple(value / scale for value in mean),
        tuple(value / scale for value in std),
        is_bgr=bool(raw.get("do_flip_channel_order", False)),
        side=_read_side(raw) if raw.get("do_resize", True) else None,
    )


def _three(values: Any) -> tuple[float, ...]:
    channels = [float(values)] * 3 if isinstance(values, int | float) else list(map(float, values))
    if len(channels) != 3:
        raise ValueError(f"{len(channels)} channels, where RGB has 3")
    return tuple(channels)


def _read_side(raw: Mapping[str, Any]) -> int | None:
    size = raw.get("size")
    if size is None:
        return None
    if isinstance(size, int):
        return size
    if "height" in size:
        return round(math.sqrt(int(size["height"]) * int(size["width"])))
    return side_of_short_edge(int(size["shortest_edge"]))
