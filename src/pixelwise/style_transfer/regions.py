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
    for name in (*region.only, *region.excluded, *(name for name, _ in region.styles)):
        if name not in names:
            raise unknown_choice_error("class", name, names)
    labels = predictor.predict(rgb).labels
    masks = {name: _feather(labels == names.index(name)) for name, _ in region.styles}
    if region.only or region.excluded:
        ids = [names.index(name) for name in region.only or region.excluded]
        chosen = np.isin(labels, ids)
        masks[""] = _feather(chosen if region.only else ~chosen)
    return masks


def composite(image: Tensor, under: Array, mask: Array | None) -> Tensor:
    """The styled image (3, H, W) over `under` (H, W, 3), where the mask says."""
    if mask is None:
        return image
    share = torch.from_numpy(mask.astype(np.float32) / 255)
    return image * share + to_tensor(under) * (1 - share)


def _feather(chosen: NDArray[np.bool_]) -> Array:
    radius = FEATHER * (chosen.shape[0] ** 2 + chosen.shape[1] ** 2) ** 0.5
    mask = Image.fromarray((chosen * 255).astype(np.uint8))
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)))
