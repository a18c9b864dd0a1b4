"""Labels brought to their image's orientation."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from pixelwise.checks.reorient import _UNDO, _UPRIGHT


@pytest.mark.parametrize("orientation", _UPRIGHT)
def test_an_array_becomes_upright_as_pillow_turns_it(orientation: int) -> None:
    stored = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = Image.fromarray(stored)
    image.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(_UPRIGHT[orientation](stored), upright)
    np.testing.assert_array_equal(_UPRIGHT[_UNDO[orientation]](upright), stored)
