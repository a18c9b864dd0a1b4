"""The drawings of the course companion, made by `pixelwise explain`.

python docs/course/pictures.py

The photo is Chelsea by Stefan van der Walt (CC0) beside itself in a mirror, on the grey that both
borders have on average, so that there are two cats.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from pixelwise import explain, load
from pixelwise.datasets.sample_photos import sample_photos
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.io.images import Array, read_rgb

PICTURES = Path(__file__).parent / "pictures"
GAP = 120  # pixels between the cats
COLOURS = 64  # of a drawing: enough for its few hues and their soft edges


def main() -> None:
    """Write all drawings to `pictures` beside this file."""
    PICTURES.mkdir(exist_ok=True)
    nine = torch.arange(9.0).reshape(3, 3)
    small = torch.arange(4.0).reshape(2, 2)
    counted = torch.tensor([[1.0, 2], [3, 4]])
    draw("convolution", nine, small)
    draw("matrix", nine, counted)
    draw("transposed", small, small)
    draw("insertion", small, small, stride=2)
    draw("bilinear")
    draw("pooling", torch.tensor([[9, 1, 2, 3], [2, 8, 4, 7], [5, 3, 1, 1], [6, 2, 1, 5]]))
    draw("checkerboard", [(2, 2), (3, 2), (4, 2)])
    draw("shapes", "resnet18")
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "cats.png"
        Image.fromarray(two_cats()).save(photo)
        draw("kinds", photo)
        draw("heat", photo)
        write_shapes(Path(folder) / "data", train=4)
        data = Path(folder) / "data"
        draw("augmentation", data, augment="none", crop=(64, 96))
        draw("augmentation", data, name="each", augment="strong", each=True, crop=(64, 96))
        Image.fromarray(draw_matte(photo)).save(Path(folder) / "cats_matte.png")
        draw("matte", Path(folder) / "cats_matte.png")


def draw(lesson: str, *inputs: object, name: str = "", **options: object) -> None:
    """A drawing by its name or that of its lesson, with few colours, as a small file."""
    path = PICTURES / f"{name or lesson}.png"
    explain(lesson, *inputs, out=path, **options)
    has_photo = lesson in ("kinds", "heat", "augmentation", "matte")
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256 if has_photo else COLOURS)
    few.save(path, optimize=True)


def draw_matte(photo: Path) -> Array:
    """An alpha matte of the cats: their mask by `animals`, with an edge that is blurred."""
    cats = load("animals").predict(photo).labels > 0
    soft: Array = ndimage.gaussian_filter(255.0 * cats, 1.2).round().astype(np.uint8)
    return soft


def two_cats() -> Array:
    """The photo, a grey gap, and the photo in a mirror."""
    cat = read_rgb(sample_photos()["cat"])
    cat = cat[::2, ::2]
    grey = cat[:, [0, -1]].mean(axis=(0, 1)).astype(np.uint8)
    gap = np.broadcast_to(grey, (cat.shape[0], GAP // 2, 3))
    pair: Array = np.concatenate([cat, gap, cat[:, ::-1]], axis=1)
    return pair


if __name__ == "__main__":
    main()
