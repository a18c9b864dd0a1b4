"""The picture of docs/cutouts.md: a photo, cut out, in front of a colour and of its own blur.

python benchmarks/cutouts_picture.py OUT.jpg

The photo is scikit-image's `data.cat()` (by Stefan van der Walt, CC0), the model the bundled one.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

import pixelwise
from pixelwise.inference.cutouts import CutoutRules
from pixelwise.io.images import write_image

SQUARE = 12


def main() -> None:
    """Write the picture to the file that is named."""
    model = pixelwise.load("animals")
    result = model.predict(data.cat(), scores="probabilities")
    rgba = CutoutRules().cut(result)
    rows = [
        np.hstack([result.rgb, put_on_squares(rgba)]),
        np.hstack([CutoutRules(background=kind).cut(result) for kind in ("#2f6f8f", "blur")]),
    ]
    picture = Image.fromarray(np.vstack(rows))
    picture.thumbnail((900, 900))
    write_image(Path(sys.argv[1]), np.asarray(picture))


def put_on_squares(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 3) in front of grey squares, as programs show what is transparent."""
    height, width = rgba.shape[:2]
    y, x = np.mgrid[:height, :width] // SQUARE
    squares = np.where((x + y) % 2, 255, 200)[..., None]
    alpha = rgba[..., 3:] / 255
    return (alpha * rgba[..., :3] + (1 - alpha) * squares).astype(np.uint8)


if __name__ == "__main__":
    main()
