from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.teaching.matte_figure import draw_matte


def test_thresholds_of_a_soft_edge_are_counted_and_drawn(tmp_path: Path) -> None:
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:, 10:] = 64
    alpha[:, 11:] = 192
    alpha[:, 12:] = 255
    Image.fromarray(alpha).save(tmp_path / "a_matte.png")
    counts = draw_matte(tmp_path / "a_matte.png", tmp_path / "drawn.png")
    assert counts == {"values": 4, "above 0": 400, "from 128 on": 380}
    with Image.open(tmp_path / "drawn.png") as picture:
        assert picture.width > 1000


def test_a_hard_mask_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 255, np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(ConfigError, match="no soft edges"):
        draw_matte(tmp_path / "m.png", tmp_path / "drawn.png")
