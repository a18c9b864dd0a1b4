"""One image and its mask, read once; what is kept of them is small, so that memory hardly grows
with their number.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pixelwise.checks.edge_alignment import Fit, edge_strength, fit, outline
from pixelwise.checks.inventory import Couple
from pixelwise.checks.perceptual_hash import content_print, looks_print
from pixelwise.classes import Colour
from pixelwise.datasets.annotations.mask_per_class import merge_class_masks
from pixelwise.datasets.annotations.rasterize import RasterizedMask, read_rasterized
from pixelwise.datasets.mask_reader import Values, pack, raw_of
from pixelwise.errors import DataError, ImageError
from pixelwise.io.images import Array, open_image

Size = tuple[int, int]
Raw = NDArray[Any]
"""(H, W) whole numbers of a mask, or packed colours."""

MOST_VALUES = 256
"""Values of a mask that are kept, the most frequent."""

_CHUNK = 64
_FILMS = frozenset({"GIF", "TIFF", "WEBP"})
_ORIENTATION = 0x0112
_WIDER = 257  # times 255 is 65535: what programs multiply with that save 8 bits as 16
# of its height and width, how much of a picture counts as its rim: a twelfth on each side
_RIM = 12


@dataclass(frozen=True, slots=True)
class Picture:
    """What a file is: sizes are (height, width), upright and as stored; `orientation` is EXIF's (1
    to 8).
    """

    size: Size
    stored: Size
    orientation: int
    mode: str
    format: str
    frames: int
    content: bytes


@dataclass(frozen=True, slots=True)
class ImageLook:
    """An image: `low`, `high` are its least and greatest grey, `grey` says that R = G = B in a
    picture of colours.
    """

    picture: Picture
    low: int
    high: int
    grey: bool
    transparent: bool
    tones: int
    print: int
    thumb: bytes


@dataclass(frozen=True, slots=True)
class MaskLook:
    """A mask.

    `table` (3, n) holds values, counts and solid of the most frequent values, in one array as there
    are many looks; `distinct` is the number of all values. `between` is the share of borders that
    climb through a value in between, `rim` and `core` are the shares of the upper value at the rim
    and inside. `alpha` says that the alpha channel was read, as nothing else is drawn. `overlaps`
    are pixels of two layers or shapes; `clipped` and `blank` are shapes cut at the border or
    without a pixel. `wide` says that 8 bits were saved as 16, and are read as 8 again.
    """

    picture: Picture
    coloured: bool
    table: NDArray[np.int32]
    distinct: int
    between: float
    rim: float
    core: float
    palette: tuple[Colour, ...] | None
    alpha: bool
    overlaps: int = 0
    clipped: int = 0
    blank: int = 0
    wide: bool = False

    @property
    def values(self) -> Values:
        """(n,) numbers, or colours packed as in data/masks."""
        return np.asarray(self.table[0], np.int64)

    @property
    def counts(self) -> Values:
        """(n,) pixels of each value."""
        return np.asarray(self.table[1], np.int64)

    @property
    def solid(self) -> Values:
        """(n,) pixels of each value whose right and lower neighbours have it too."""
        return np.asarray(self.table[2], np.int64)


@dataclass(frozen=True, slots=True)
class Look:
    """A pair: what was seen of both, what could not be read, and how they fit."""

    couple: Couple
    image: ImageLook | None
    mask: MaskLook | None
    problems: tuple[tuple[str, Path, str], ...] = ()
    fit: Fit | None = None


def looks(
    couples: Sequence[Couple], *, layer_classes: tuple[str, ...] = (), matte: bool = False
) -> Iterator[Look]:
    """Read every pair, in order, in threads (decoding frees Python's lock); only a chunk's results
    are under way.
    """
    threads = max(1, min(8, cpu_count() or 1))
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(couples), _CHUNK):
            yield from pool.map(
                partial(look, layer_classes, matte), couples[start : start + _CHUNK]
            )


def look(layer_classes: tuple[str, ...], matte: bool, couple: Couple) -> Look:
    """Read a pair. What cannot be read is named, never raised."""
    problems: list[tuple[str, Path, str]] = []
    image = None
    strength = None
    try:
        opened = open_image(couple.image)
        image, strength = _image(opened, couple.image)
    except (ImageError, OSError) as error:
        problems.append(("image-unreadable", couple.image, _reason(error, couple.image)))
    mask = None
    raw = None
    try:
        mask, raw = (
            _mask(couple.mask, matte=matte)
            if not (couple.layers or couple.read)
            else _drawn(couple, layer_classes)
        )
    except (DataError, OSError) as error:
        problems.append(("mask-unreadable", couple.mask, _reason(error, couple.mask)))
    found = None
    if (
        image
        and mask
        and raw is not None
        and strength is not None
        and image.picture.size == mask.picture.size
    ):
        found = fit(strength, outline(raw, strength.shape), image.picture.size)
    return Look(couple, image, mask, tuple(problems), found)


def _reason(error: Exception, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ").split("; replace")[0]


def _picture(image: Image.Image, pixels: Array | Values, frames: int = 1) -> Picture:
    return Picture(
        size=(pixels.shape[0], pixels.shape[1]),
        stored=(image.height, image.width),
        orientation=int(image.getexif().get(_ORIENTATION, 1) or 1),
        mode=image.mode,
        format=image.format or "",
        frames=frames,
        content=content_print(pixels),
    )


def _image(image: Image.Image, path: Path) -> tuple[ImageLook, NDArray[np.float32]]:
    if image.mode in ("I", "F"):
        raise ImageError(
            f"holds 32-bit numbers (mode {image.mode}), which have no fixed range; save it as 8 bit"
        )
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    colours = upright.mode not in ("1", "L", "LA", "La")
    pixels: Array = np.asarray(upright.convert("RGB" if colours else "L"))
    grey = upright.convert("L")
    low, high = grey.getextrema()
    sample = pixels[:: max(1, pixels.shape[0] // 64), :: max(1, pixels.shape[1] // 64)]
    print_, thumb = looks_print(grey)
    found = ImageLook(
        picture=_picture(image, pixels, _frames(path) if image.format in _FILMS else 1),
        low=int(low),  # type: ignore[arg-type]
        high=int(high),  # type: ignore[arg-type]
        grey=colours and _is_grey(sample) and _is_grey(pixels),
        transparent="A" in upright.getbands()
        and int(np.asarray(upright.getchannel("A")).min()) < 255,
        tones=len(np.unique(pack(sample) if colours else sample)),
        print=print_,
        thumb=thumb,
    )
    return found, edge_strength(grey)


def _frames(path: Path) -> int:
    with Image.open(path) as image:
        return getattr(image, "n_frames", 1)


def _is_grey(pixels: Array) -> bool:
    return bool(
        (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
    )


def raw_mask(path: Path, *, matte: bool = False) -> tuple[Image.Image, Raw, bool, bool]:
    """(the picture, (H, W) numbers or packed colours, whether colours, whether of the alpha
    channel), upright.

    A picture of colours that are all grey counts as numbers; where only the alpha channel is drawn,
    it is read. 8 bits that were saved as 16 are 8 again.
    """
    image = open_image(path)
    upright = ImageOps.exif_transpose(image)
    raw: Raw
    raw, coloured = raw_of(upright, path)
    if coloured and bool((raw == (raw & 255) * 0x010101).all()):
        raw = raw & 255
        coloured = False
    if image.mode.startswith("I;16") and (matte or _is_wide(image, raw)):
        raw = raw >> 8
    alpha = _in_alpha(upright)
    use_alpha = alpha is not None and (matte or bool((raw == raw.flat[0]).all()))
    if alpha is not None and use_alpha:
        raw = alpha
        coloured = False
    if not coloured and int(raw.min()) >= 0 and int(raw.max()) < 256:
        raw = raw.astype(np.uint8)
    return image, raw, coloured, use_alpha


def _is_wide(image: Image.Image, raw: Raw) -> bool:
    return image.mode.startswith("I;16") and int(raw.max()) > 255 and not (raw % _WIDER).any()


def _mask(path: Path, *, matte: bool) -> tuple[MaskLook, Raw]:
    image, raw, coloured, alpha = raw_mask(path, matte=matte)
    look = _mask_look(
        _picture(image, raw),
        raw,
        coloured=coloured,
        palette=_palette(image),
        alpha=alpha and not matte,
    )
    wide = _is_wide(image, np.asarray(image)) if image.mode.startswith("I;16") else False
    return replace(look, wide=wide), raw >= 128 if matte else raw


def _drawn(couple: Couple, classes: tuple[str, ...]) -> tuple[MaskLook, Raw]:
    if couple.read:
        drawing = read_rasterized(couple.read, couple.mask)
    else:
        labels, claimed = merge_class_masks(couple.layers, classes)
        drawing = RasterizedMask(labels, 0, 0, claimed)
    labels = drawing.labels
    format = "PNG" if couple.layers else ""
    picture = Picture(labels.shape, labels.shape, 1, "L", format, 1, content_print(labels))
    look = _mask_look(picture, labels, coloured=False, palette=None, alpha=False)
    return replace(
        look, overlaps=drawing.overlapped, clipped=drawing.clipped, blank=drawing.blank
    ), labels


def _mask_look(
    picture: Picture,
    raw: Raw,
    *,
    coloured: bool,
    palette: tuple[Colour, ...] | None,
    alpha: bool,
) -> MaskLook:
    values, places = _distinct(raw)
    counts = np.bincount(places.ravel(), minlength=len(values))
    alike = (places[:-1, :-1] == places[1:, :-1]) & (places[:-1, :-1] == places[:-1, 1:])
    solid = np.bincount(places[:-1, :-1][alike], minlength=len(values))
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_VALUES])
    rim, core = _rim_and_core(raw)
    return MaskLook(
        picture=picture,
        coloured=coloured,
        table=np.stack([values[kept], counts[kept], solid[kept]]).astype(np.int32),
        distinct=len(values),
        between=_between(raw if not coloured else _brightness(raw)),
        rim=rim,
        core=core,
        palette=palette,
        alpha=alpha,
    )


def _distinct(raw: Raw) -> tuple[Values, NDArray[np.int64]]:
    """The distinct values, sorted, and (H, W) the place of each pixel's value among them."""
    if raw.dtype == np.uint8:
        values = np.flatnonzero(np.bincount(raw.ravel(), minlength=256))
        table = np.zeros(256, np.int64)
        table[values] = np.arange(len(values))
        return values, table[raw]
    flat = raw.ravel()
    starts = np.flatnonzero(
        np.diff(flat, prepend=flat[:1] - 1)
    )  # runs are long: few values are left to sort
    values, inverse = np.unique(flat[starts], return_inverse=True)
    lengths = np.diff(starts, append=len(flat))
    return values, np.repeat(inverse, lengths).reshape(raw.shape)


def _brightness(packed: Raw) -> Values:
    return np.asarray((packed >> 16) + (packed >> 8 & 255) + (packed & 255), np.int64)


def _between(raw: Raw) -> float:
    """Of the steps between unlike neighbours in a row, the share that go on in the same direction
    one pixel later.
    """
    steps = np.diff(raw.astype(np.int32), axis=1)
    total = int(np.count_nonzero(steps))
    if not total:
        return 0.0
    signs = np.sign(steps).astype(np.int8)
    return int(np.count_nonzero(signs[:, 1:] * signs[:, :-1] > 0)) / total


def _rim_and_core(raw: Raw) -> tuple[float, float]:
    low = int(raw.min())
    high = int(raw.max())
    upper = raw > (low + high) / 2
    down = max(1, raw.shape[0] // _RIM)
    across = max(1, raw.shape[1] // _RIM)
    core = upper[down:-down, across:-across]
    inside = int(core.sum())
    total = int(upper.sum())
    return (total - inside) / max(1, upper.size - core.size), inside / max(1, core.size)


def _in_alpha(image: Image.Image) -> Values | None:
    """The alpha channel where it is not the same everywhere."""
    if image.mode not in ("LA", "La", "RGBA", "RGBa", "PA"):
        return None
    alpha = np.asarray(image.getchannel("A" if "A" in image.getbands() else "a")).astype(np.int64)
    return alpha if alpha.min() < alpha.max() else None


def _palette(image: Image.Image) -> tuple[Colour, ...] | None:
    flat = image.getpalette("RGB") if image.mode == "P" else None
    return colours_of(bytes(flat)) if flat else None


@lru_cache(maxsize=64)
def colours_of(flat: bytes) -> tuple[Colour, ...]:
    """The colours of a palette; the same palette is kept once."""
    return tuple((flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat) - 2, 3))
