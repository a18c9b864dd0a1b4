from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pixelwise.inference.view_size import size_note, view_size
from pixelwise.io.images import Picture
from pixelwise.models.picture_sizes import PictureSizes

SIZES = PictureSizes(side=400, smallest=300, largest=500, framed=True)
LARGE = (2000, 3000)
PICTURE = Picture(Image.fromarray(np.zeros((*LARGE, 3), np.uint8)), (), "JPEG", "RGB", LARGE, 1, 1)


def test_a_raster_and_a_model_that_knows_no_sizes_keep_the_pictures_own() -> None:
    assert view_size(SIZES, LARGE, PICTURE) == (327, 490)
    assert view_size(SIZES, LARGE) == (327, 490)
    assert view_size(SIZES, LARGE, replace(PICTURE, is_raster=True)) == LARGE
    assert view_size(None, LARGE, PICTURE) == LARGE


@pytest.mark.parametrize(
    ("size", "view", "raster", "framed", "words"),
    [
        (LARGE, (327, 490), False, True, "much larger than the training's pictures, seen at the"),
        ((80, 80), (400, 400), False, True, "much smaller than the training's pictures, seen at"),
        (LARGE, LARGE, False, False, "much larger than the training's pictures, seen at full size"),
        (LARGE, LARGE, True, True, "much larger than the training's pictures, seen at full size"),
        (LARGE, LARGE, True, False, None),
        ((80, 80), (80, 80), False, False, None),
        ((400, 420), (400, 420), False, True, None),
    ],
)
def test_what_is_done_to_a_picture_of_unusual_size_is_said(
    size: tuple[int, int], view: tuple[int, int], raster: bool, framed: bool, words: str | None
) -> None:
    note = size_note(replace(SIZES, framed=framed), size, view, is_raster=raster)
    assert (str(note).startswith(words) if note else None) is (None if words is None else True)
    assert size_note(None, size, size) is None
