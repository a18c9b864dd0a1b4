"""Pictures in memory, of any kind that `predict` takes, as a network's pixels."""

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ImageError
from pixelwise.io.band_pictures import find_range_notes
from pixelwise.io.channels import RGB, Channels, Mask, ReadingRule, valid_everywhere
from pixelwise.io.deep_pixels import DeepPixels, to_8_bits
from pixelwise.io.images import Array, Picture
from pixelwise.io.reading_notes import ReadingNotes

if TYPE_CHECKING:
    from torch import Tensor

_ALLOWED = (
    "give a path, the bytes of a file, a PIL image, a (height, width, 3) or (height, width) array "
    "of uint8 or uint16, or a (3, height, width) tensor of uint8 or of floats in [0, 1]"
)
_GREY_DIMENSIONS = 2


class Seen(NamedTuple):
    """A picture in memory: pixels (H, W, channels) uint8 as a network takes them, rgb (H, W, 3) as
    people look at it, what reading did to it, and where it has values (H, W), None for everywhere.
    """

    pixels: Array
    rgb: Array
    notes: ReadingNotes = ()
    valid: Mask | None = None


def read_source(source: "Picture | Array | Tensor", rule: ReadingRule = RGB) -> Seen:
    """Anything allowed that is no file, by a rule. Raises ImageError that names what came and what
    is allowed.
    """
    if rule.channels is not None:
        return _read_bands(source, rule.channels)
    torch = sys.modules.get("torch")  # whoever has a tensor has imported it
    if torch is not None and isinstance(source, torch.Tensor):
        rgb = _from_tensor(source, torch)
        return Seen(rgb, rgb)
    if isinstance(source, np.ndarray):
        rgb, notes = _from_array(source, rule.common_bits)
        return Seen(rgb, rgb, notes)
    if isinstance(source, Picture):
        rgb = _checked(source.rgb)
        return Seen(rgb, rgb, tuple(filter(str, source.notes)))
    raise ImageError(f"an image cannot be a {type(source).__name__}: {_ALLOWED}")


def _read_bands(source: "Picture | Array | Tensor", channels: Channels) -> Seen:
    """What a network of other bands takes: a picture that was read for it, or values (H, W, bands)
    as files hold them.
    """
    if isinstance(source, Picture) and source.channels is not None:
        notes = tuple(filter(str, source.notes))
        return Seen(source.channels, source.rgb, notes, source.valid)
    if not isinstance(source, np.ndarray) or source.ndim not in (2, 3) or not source.size:
        what = f"shape {source.shape}" if isinstance(source, np.ndarray) else type(source).__name__
        raise ImageError(
            f"an image of bands cannot be of {what}: give a path, or an array (height, width, "
            f"bands) of values as the training's files hold them: {channels}"
        )
    values = np.atleast_3d(source)
    numbers = channels.find_bands("the array", ("",) * values.shape[2])
    chosen = values[..., [number - 1 for number in numbers]].transpose(2, 0, 1)
    finite = np.isfinite(chosen)
    valid = None if finite.all() else finite
    pixels = channels.to_pixels(chosen, valid)
    notes = find_range_notes(chosen, valid, channels)
    whole = None if valid is None else valid_everywhere(valid)
    return Seen(pixels, channels.to_rgb(pixels), notes, whole)


def _from_array(array: NDArray[Any], common_bits: int) -> tuple[Array, ReadingNotes]:
    """Grey (H, W) or RGB (H, W, 3), of 8 bits or of 16, which are read as those of a file."""
    if array.ndim == _GREY_DIMENSIONS:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.dtype != np.uint16 or not array.size or array.shape[2:] != (3,):
        return _checked(array), ()
    colours, _, notes = to_8_bits(DeepPixels(array, 3), "the array", common_bits=common_bits)
    return np.asarray(colours), tuple(filter(str, notes))


def _checked(array: Array) -> Array:
    if array.dtype != np.uint8:
        raise ImageError(f"the array holds {array.dtype}: {_ALLOWED}")
    if array.ndim != 3 or array.shape[2] != 3:
        raise ImageError(f"the array has the shape {array.shape}: {_ALLOWED}")
    if not array.size:
        raise ImageError(
            f"the image is empty, shape {array.shape}: give one of at least 1 x 1 pixels"
        )
    return array


def _from_tensor(image: "Tensor", torch: Any) -> Array:
    if image.ndim != 3 or image.shape[0] != 3:
        raise ImageError(f"the tensor has the shape {tuple(image.shape)}: {_ALLOWED}")
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise ImageError(f"the tensor holds {str(image.dtype).removeprefix('torch.')}: {_ALLOWED}")
    image = image.detach().cpu()
    if image.is_floating_point():
        if not ((image >= 0) & (image <= 1)).all():  # also refuses NaN
            low = image.float().min().item()
            high = image.float().max().item()
            raise ImageError(f"the float tensor spans {low:.3g} to {high:.3g}: {_ALLOWED}")
        image = (image.float() * 255).round().to(torch.uint8)
    return _checked(image.permute(1, 2, 0).contiguous().numpy())
