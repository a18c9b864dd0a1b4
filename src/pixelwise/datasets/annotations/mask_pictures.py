"""Masks that lie beside annotations: then these may be what the masks were made from."""

from pathlib import Path

from pixelwise.datasets.readers.layout import find_layout
from pixelwise.datasets.types import images_in
from pixelwise.errors import DataError


def holds_mask_pictures(root: Path) -> bool:
    """Whether `root` is a plain folder whose folder of masks holds pictures."""
    try:
        places = find_layout(root).places
    except DataError:
        return False
    return any(images_in(place.masks) for place in places)
