"""`demo label`: the page on pictures that need no download."""

from pathlib import Path

import numpy as np

from pixelwise.datasets.sample_photos import sample_photos
from pixelwise.datasets.synthetic import draw_scene
from pixelwise.errors import OutputError
from pixelwise.io.images import read_rgb, write_image
from pixelwise.labelling.options import LabelOptions
from pixelwise.labelling.server import label
from pixelwise.progress import Progress

CLASSES = "background,shape,person"
_SCENES = 8
_SIZE = (360, 480)


def label_demo(out: Path, *, port: int = 8000, progress: Progress | None = None) -> None:
    """Write drawn pictures and the portrait that comes with Matplotlib to `out`/photos, and open
    the page on them; a demo of before goes on.

    Raises OutputError where `out` holds something else.
    """
    photos = out / "photos"
    if out.is_dir() and any(out.iterdir()) and not photos.is_dir():
        raise OutputError(f"{out}: holds something else; choose another --out")
    if not photos.is_dir():
        write_demo_photos(photos)
    labels = out / "labels"
    classes = None if labels.is_dir() else CLASSES
    options = LabelOptions(classes=classes, minutes=3)
    label([photos], out=labels, port=port, options=options, progress=progress)


def write_demo_photos(folder: Path) -> None:
    """Drawn pictures, the same each time, and a portrait where Matplotlib has its own."""
    rng = np.random.default_rng(4)
    for number in range(1, _SCENES + 1):
        write_image(folder / f"shapes_{number}.png", draw_scene(rng, _SIZE, 7)[0])
    portrait = sample_photos().get("person")
    if portrait is not None:
        write_image(folder / f"{portrait.stem}.png", read_rgb(portrait))
