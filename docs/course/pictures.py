"""The drawings of the course companion, made by `pixelwise explain`.

python docs/course/pictures.py

The photo is Chelsea by Stefan van der Walt (CC0) beside itself in a mirror, on the grey that both
borders have on average, so that there are two cats.
"""

import contextlib
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image
from scipy import ndimage

from pixelwise import explain, load
from pixelwise.datasets.sample_photos import sample_photos
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.io.images import Array, read_rgb
from pixelwise.reports.figure_style import INK, make_grid, save_png, set_title

PICTURES = Path(__file__).parent / "pictures"
GAP = 120  # pixels between the cats
# Of grass, tree, water, roof and road.
CLASS_COLOURS = np.array(
    [(196, 222, 160), (60, 120, 60), (86, 150, 210), (213, 94, 0), (150, 150, 150)], np.uint8
)
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
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        draw_applications(run_page(PICTURES.parent / "applications.md"))


def run_page(page: Path) -> dict[str, Any]:
    """What the Python of a page leaves, run in its order with the commands between."""
    names: dict[str, Any] = {}
    text = page.read_text(encoding="utf-8")
    for language, block in re.findall(r"```(python|sh)\n(.*?)```", text, re.DOTALL):
        if language == "python":
            exec(compile(block, page.name, "exec"), names)
        else:
            for line in block.splitlines():
                subprocess.run([sys.executable, "-m", *shlex.split(line)], check=True)
    return names


def draw_applications(names: dict[str, Any]) -> None:
    """The liver in the middle slice of the last scan, and the landing place in the survey."""
    panels = {
        "a slice, -160 to 240 units": names["draw_scan"](6)[0],
        "liver, as drawn": names["truth"],
        "liver, as labelled": names["labels"],
    }
    figure, axes = make_grid(1, 3)
    for axis, (title, volume) in zip(axes[0], panels.items(), strict=True):
        window = {"vmin": -160, "vmax": 240} if volume.min() < 0 else {"vmin": 0, "vmax": 1}
        # the patient's right on the left, the front above
        axis.imshow(volume[::-1, ::-1, 4].T, cmap="gray", **window)
        set_title(axis, title)
    save_small(figure, "scan")
    with names["rasterio"].open("survey.tif") as raster:
        rgb = raster.read().transpose(1, 2, 0)
    figure, axes = make_grid(1, 2, ratio=0.75)
    axes[0, 0].imshow(rgb)
    set_title(axes[0, 0], "the survey")
    axes[0, 1].imshow(CLASS_COLOURS[names["classes"]])
    place = (names["column"], names["row"])
    circle = Circle(place, names["room"].max(), fill=False, color=INK, linewidth=1.5)
    axes[0, 1].add_patch(circle)
    set_title(axes[0, 1], "grass, tree, water, roof, road; most room")
    save_small(figure, "landing")


def save_small(figure: Figure, name: str) -> None:
    """Write a figure with photos in it, with few colours."""
    path = PICTURES / f"{name}.png"
    save_png(figure, path)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(32, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


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
