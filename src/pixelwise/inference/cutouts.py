"""What a photo shows without its background: alpha from labels and class scores, and what stands
behind it instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy import ndimage

from pixelwise.classes import softmax
from pixelwise.datasets.class_entries import parse_colour
from pixelwise.errors import ConfigError, ImageError, unknown_choice_error
from pixelwise.inference.objects import object_classes
from pixelwise.inference.predictor import Result
from pixelwise.io.images import Array, read_rgb

BLUR = "blur"
# The edge reaches so far on either side of the labels' border: a share of the shorter side, and the
# least pixels.
EDGE = 0.005
_LEAST_EDGE = 2.0
# Standard deviation of the blur, as a share of the diagonal.
_BLUR = 0.02

Alpha = NDArray[np.float32]


@dataclass(frozen=True)
class CutoutRules:
    """foreground: the classes that stay, all but the background where none is named. background: a
    colour, BLUR or a picture's path; None leaves it transparent. crop: cut to what stays.
    """

    foreground: Sequence[str] = ()
    background: str | None = None
    crop: bool = False

    def check(self, names: Sequence[str]) -> None:
        """Raises ConfigError for unknown classes, where nothing would be cut away, and for a
        background that is neither a colour nor BLUR nor a picture.
        """
        self.labels(names)
        if self.background is not None:
            self._read_background()

    def labels(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """(256,) which labels stay. Raises ConfigError as `check`."""
        for name in self.foreground:
            if name not in names:
                raise unknown_choice_error("class", name, names)
        stays = object_classes(self.foreground or names)
        if self.foreground:
            stays = np.zeros(256, bool)
            stays[[names.index(name) for name in self.foreground]] = True
        if stays[: len(names)].all():
            raise ConfigError(
                f"cutouts: all classes stay ({', '.join(names)}), and none is cut away; name those "
                "that stay with --foreground"
            )
        return stays

    def _read_background(self) -> Array | None:
        """(3,) a colour, (H, W, 3) a picture; None to blur the photo."""
        text = self.background or ""
        if text == BLUR:
            return None
        if Path(text).is_file():
            try:
                return _read_picture(text, Path(text).stat().st_mtime_ns)
            except ImageError as error:
                raise ConfigError(f"background {error}") from error
        try:
            return np.array(parse_colour(text), np.uint8).reshape(3)
        except ValueError as error:
            raise ConfigError(
                f"background '{text}': give a colour, such as white or #2f4f4f, {BLUR}, or the "
                "path of a picture"
            ) from error

    def cut(self, result: Result) -> Array:
        """(h, w, 4) the photo with its alpha, or (h, w, 3) in front of the background; as large as
        the photo, or with `crop` as what stays, if anything does. Needs the result's scores.
        """
        stays = self.labels(result.classes)
        alpha = soft_alpha(result, stays)
        rgb = result.rgb
        if self.background is None:
            levels = np.round(255 * alpha).astype(np.uint8)
            picture = np.dstack([rgb, levels])
        else:
            behind = self._read_background()
            picture = _put_before(rgb, alpha, behind)
        return picture[_find_box(alpha)] if self.crop else picture


@lru_cache(maxsize=2)
def _read_picture(path: str, modified: int) -> Array:
    """One stands behind many photos."""
    return read_rgb(Path(path))


def soft_alpha(result: Result, stays: NDArray[np.bool_]) -> Alpha:
    """(H, W) in [0, 1] of a result with scores: 1 and 0 as the labels have it, but near the border
    between both the probability of the classes that stay, the more the nearer.
    """
    inside = stays[result.labels]
    height, width = inside.shape
    if not inside.any() or inside.all():
        return inside.astype(np.float32)
    kind, scores = next(iter(result.scores.items()))
    # from a pixel's middle to the border between pixels
    distance = np.where(
        inside, ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside)
    )
    reach = max(_LEAST_EDGE, EDGE * min(height, width))
    weight = np.clip(1 - (distance - 0.5) / reach, 0, 1)
    rows, columns = np.nonzero(weight)
    values = scores[:, rows, columns].astype(np.float32)  # (C, N)
    shares = softmax(values) if kind == "logits" else values
    probability = shares[stays[: len(scores)]].sum(0)
    alpha = inside.astype(np.float32)
    alpha[rows, columns] += (probability - alpha[rows, columns]) * weight[rows, columns]
    return np.clip(alpha, 0, 1)


def _put_before(rgb: Array, alpha: Alpha, behind: Array | None) -> Array:
    height, width = alpha.shape
    if behind is None:
        behind = _blur_background(rgb, alpha)
    elif behind.ndim == 3:
        fitted = ImageOps.fit(Image.fromarray(behind), (width, height))
        behind = np.asarray(fitted)
    share = alpha[..., None]
    mixed: Array = np.round(share * rgb + (1 - share) * behind).astype(np.uint8)
    return mixed


def _blur_background(rgb: Array, alpha: Alpha) -> Array:
    """The photo, blurred, without what stands in front: its colours do not run into the rest."""
    deviation = _BLUR * float(np.hypot(*alpha.shape))
    share = np.maximum(1 - alpha, 1e-3)  # where all is in front something must stand behind, too
    total = ndimage.gaussian_filter(share, deviation)
    channels = [
        ndimage.gaussian_filter(share * rgb[..., channel], deviation) / total
        for channel in range(3)
    ]
    blurred: Array = np.clip(np.stack(channels, -1), 0, 255).astype(np.uint8)
    return blurred


def _find_box(alpha: Alpha) -> tuple[slice, slice]:
    """Rows and columns in which alpha is not 0; all where there are none."""
    rows = np.flatnonzero(alpha.any(1))
    columns = np.flatnonzero(alpha.any(0))
    if not len(rows):
        return slice(None), slice(None)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
