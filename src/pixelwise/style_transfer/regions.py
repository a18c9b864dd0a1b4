"""Style on some classes alone, as a model finds them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.inference.load import load
from pixelwise.io.images import Array
from pixelwise.style_transfer.image_files import to_tensor

# Width of a region's soft edge, as a share of the image's diagonal.
FEATHER = 0.005


@dataclass(frozen=True)
class Region:
    """Where the style goes: on the classes `only`, or everywhere but on the `excluded` ones."""

    model: str | Path
    """What finds the classes."""

    only: tuple[str, ...] = ()
    """Classes that get the style."""

    excluded: tuple[str, ...] = ()
    """Classes that keep the content."""

    styles: tuple[tuple[str, Path], ...] = ()
    """Images whose style goes on single classes, by name, in place of the common one."""

    def __post_init__(self) -> None:
        if (self.only and self.excluded) or not (self.only or self.excluded or self.styles):
            raise ConfigError(
                "name the classes with one of --only and --except, or give styles of classes"
            )


def find_masks(rgb: Array, region: Region) -> dict[str, Array]:
    """How much style a pixel takes (H, W), 0 to 255, with soft edges: a class's own by its name,
    the common by ''.
    """
    predictor = load(region.model)
    names = predictor.classes.names
    own_styles = [name for name, _ in region.styles]
    for name in (*region.only, *region.excluded, *own_styles):
        if name not in names:
            raise unknown_choice_error("class", name, names)
    labels = predictor.predict(rgb).labels  # (H, W)
    masks = {}
    for name in own_styles:
        masks[name] = _feather(labels == names.index(name))
    # one of them at most is not empty
    chosen = region.only or region.excluded
    if chosen:
        ids = [names.index(name) for name in chosen]
        inside = np.isin(labels, ids)
        masks[""] = _feather(inside if region.only else ~inside)
    return masks


def composite(image: Tensor, under: Array, mask: Array | None) -> Tensor:
    """The styled image (3, H, W) over `under` (H, W, 3), where the mask says."""
    if mask is None:
        return image
    share = torch.from_numpy(mask.astype(np.float32) / 255)  # (H, W)
    below = to_tensor(under)  # (3, H, W)
    return image * share + below * (1 - share)


def _feather(chosen: NDArray[np.bool_]) -> Array:
    height, width = chosen.shape
    diagonal = (height**2 + width**2) ** 0.5
    blur = ImageFilter.GaussianBlur(FEATHER * diagonal)
    levels = (chosen * 255).astype(np.uint8)
    # a hard edge would show as a seam between the two images
    return np.asarray(Image.fromarray(levels).filter(blur))
