"""The plot of the classes' shares."""

import io

import numpy as np
from PIL import Image

from pixelwise.reports.findings_page import ClassShare, draw_class_shares


def test_bars_are_as_long_as_the_shares() -> None:
    shares = [ClassShare("a", 0.9, 4, {}), ClassShare("b", 0.1, 4, {})]
    picture = np.asarray(Image.open(io.BytesIO(draw_class_shares(shares))).convert("RGB"))
    blue = (picture == (0x00, 0x72, 0xB2)).all(axis=2)  # (H, W)
    lengths = sorted(set(blue.sum(axis=1).tolist()) - {0})
    assert abs(lengths[-1] / lengths[0] - 9) < 0.5
