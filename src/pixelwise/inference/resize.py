"""Pictures at another size, and pieces of logits back at the picture's own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pixelwise.inference.tta import Logits
from pixelwise.io.images import Array, Picture

# Numbers of the enlarged logits that are made at once: some rows, which stay in the cache.
_NUMBERS_AT_ONCE = 2**21

# By how much more than needed a picture is first reduced by whole steps, which is faster.
_REDUCING_GAP = 2.0


def resize_pixels(pixels: Array, size: tuple[int, int]) -> Array:
    """(H, W, channels) at `size` (height, width), bicubic, each pixel the mean of those that it
    stands for.
    """
    if pixels.shape[2] == 3:
        return _resize(pixels, size)
    bands = [_resize(np.ascontiguousarray(band), size) for band in pixels.transpose(2, 0, 1)]
    return np.stack(bands, axis=2)


def resize_picture(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at `size` (height, width), and where it has values."""
    image = Image.fromarray(resize_pixels(picture.rgb, size))
    if picture.channels is None:
        return replace(picture, image=image)
    valid = picture.valid
    if valid is not None:
        valid = resize_labels(valid.astype(np.uint8), size) > 0
    channels = resize_pixels(picture.channels, size)
    return replace(picture, image=image, channels=channels, valid=valid)


def mirror_picture(picture: Picture) -> Picture:
    """The picture with left and right exchanged."""
    channels = picture.channels
    valid = picture.valid
    return replace(
        picture,
        image=ImageOps.mirror(picture.image),
        # PyTorch takes no negative strides
        channels=None if channels is None else np.ascontiguousarray(channels[:, ::-1]),
        valid=None if valid is None else np.ascontiguousarray(valid[:, ::-1]),
    )


def _resize(pixels: Array, size: tuple[int, int]) -> Array:
    height, width = size
    image = Image.fromarray(pixels)
    resized = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=_REDUCING_GAP)
    return np.asarray(resized)


def resize_labels(labels: Array, size: tuple[int, int]) -> Array:
    """(H, W), or layers (C, H, W), at `size` (height, width), by the nearest pixel; as they are
    where they have that size.
    """
    if labels.shape[-2:] == size:
        return labels
    if labels.ndim == 3:
        return np.stack([resize_labels(layer, size) for layer in labels])
    height, width = size
    return np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))


def resize_pieces(
    pieces: Iterable[tuple[int, int, Logits]],
    view: tuple[int, int],
    size: tuple[int, int],
) -> Iterator[tuple[int, int, Logits]]:
    """Pieces as `stream` yields them of a picture of `view` (height, width) to such of `size`, some
    rows each, by linear interpolation between the centres of pixels.

    A row of tiles and one row of pixels above it are held.
    """
    height, width = size
    rows = _Samples(view[0], height)
    columns = _Samples(view[1], width)
    parts = list[Logits]()
    band: Logits | None = None  # rows of logits from `top` on
    top = 0
    done = 0
    for _, left, logits in pieces:
        parts.append(logits)
        if left + logits.shape[2] < view[1]:
            continue
        parts_above = [] if band is None else [band]
        band = np.concatenate([*parts_above, np.concatenate(parts, axis=2)], axis=1)
        parts.clear()
        ready = int(np.searchsorted(rows.after, top + band.shape[1]))
        step = max(1, _NUMBERS_AT_ONCE // (len(band) * width))
        for start in range(done, ready, step):
            some = slice(start, min(start + step, ready))
            yield start, 0, columns.across(rows.down(band, some, top))
        done = ready
        if done < height:
            first = min(int(rows.before[done]), top + band.shape[1])
            band = band[:, first - top :]
            top = first


class _Samples:
    """Where the centres of `count` pixels lie among those of `length`: the pixels before and after
    each, and the share of the latter.
    """

    def __init__(self, length: int, count: int) -> None:
        places = (np.arange(count) + 0.5) * length / count - 0.5
        places = places.clip(0, length - 1)
        self.before: NDArray[np.intp] = places.astype(np.intp)
        self.after: NDArray[np.intp] = np.minimum(self.before + 1, length - 1)
        self.share = (places - self.before).astype(np.float32)

    def down(self, band: Logits, rows: slice, top: int) -> Logits:
        """Some rows of (C, h, w), of which the first is row `top`."""
        share = self.share[rows, None]
        above = band[:, self.before[rows] - top]
        result: Logits = above + (band[:, self.after[rows] - top] - above) * share
        return result

    def across(self, logits: Logits) -> Logits:
        """All columns of (C, h, w)."""
        steps = np.diff(logits, axis=2, append=logits[:, :, -1:])
        result: Logits = steps.take(self.before, axis=2)
        result *= self.share
        result += logits.take(self.before, axis=2)
        return result
