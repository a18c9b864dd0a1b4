import numpy as np
import pytest
from PIL import Image

from pixelwise.io.transparency import is_band, put_on_white, split_alpha

HIDDEN = (10, 200, 30)


def test_hidden_colours_are_white_and_half_opaque_ones_in_between() -> None:
    pixels = np.array([[(*HIDDEN, 0), (*HIDDEN, 255), (100, 100, 100, 128)]], np.uint8)
    colours, alpha = split_alpha(Image.fromarray(pixels))
    assert alpha is not None
    seen = np.asarray(put_on_white(colours, alpha))
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[0, 1].tolist() == list(HIDDEN)
    assert np.abs(seen[0, 2].astype(int) - 177).max() <= 1  # 255 - 155 * 128 / 255


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_an_alpha_that_is_opaque_everywhere_changes_nothing(mode: str) -> None:
    rgb = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8))
    base = rgb.convert("L" if mode == "LA" else "P" if mode == "PA" else "RGB")
    colours, alpha = split_alpha(base.convert(mode))
    assert alpha is None
    assert np.array_equal(np.asarray(colours.convert("RGB")), np.asarray(base.convert("RGB")))


def test_a_palette_with_a_transparent_colour_has_an_alpha() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([*HIDDEN, 7, 8, 9])
    image.info["transparency"] = 0
    colours, alpha = split_alpha(image)
    assert alpha is not None
    assert np.asarray(put_on_white(colours, alpha)).tolist() == [[[255, 255, 255], [7, 8, 9]]]


def test_near_infrared_is_no_alpha_and_soft_edges_are_one() -> None:
    rng = np.random.default_rng(0)
    infrared = Image.fromarray(rng.integers(0, 256, (64, 64), dtype=np.uint8))
    ramp = np.clip(np.arange(64) * 20 - 500, 0, 255).astype(np.uint8)
    soft = Image.fromarray(np.broadcast_to(ramp, (64, 64)).copy())
    assert is_band(infrared)
    assert not is_band(soft)
