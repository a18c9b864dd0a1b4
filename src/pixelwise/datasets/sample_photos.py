"""Photographs that come with the installed packages, to try a model on."""

from importlib.util import find_spec
from pathlib import Path

# By what they show: the package, and the photograph in its folder.
_PHOTOS = {
    # the cat of Stefan van der Walt (CC0)
    "cat": ("skimage", "data/chelsea.png"),
    # Grace Hopper (public domain)
    "person": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}


def sample_photos() -> dict[str, Path]:
    """Photographs by the class that they show: `cat` and `person`, where the packages that have
    them are installed.
    """
    photos = {}
    for name, (package, file) in _PHOTOS.items():
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).parent / file
            if path.is_file():
                photos[name] = path
    return photos
