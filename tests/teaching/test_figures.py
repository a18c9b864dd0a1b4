from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.teaching.figures import draw_checkerboard, draw_curves_by_network, draw_transposed


def test_the_drawing_of_a_transposed_convolution_returns_the_worked_figure(tmp_path: Path) -> None:
    small = torch.tensor([[0, 1], [2, 3]])
    result = draw_transposed(small, small, tmp_path / "steps.png")
    assert result.tolist() == [[0, 0, 1], [0, 4, 6], [4, 12, 9]]
    picture = np.asarray(Image.open(tmp_path / "steps.png").convert("RGB"))
    assert picture.shape[0] > 300
    accent = (np.abs(picture.astype(int) - (0xD5, 0x5E, 0x00)).sum(2) < 40).sum()
    assert accent > 200  # the frames around the laid kernels
    assert draw_transposed(small, small, tmp_path / "cut.png", padding=1).tolist() == [[4]]


def test_a_drawing_that_nobody_could_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at most 6"):
        draw_transposed(torch.ones(7, 7), torch.ones(2, 2), tmp_path / "x.png")


def test_the_cover_is_even_where_the_kernel_is_a_multiple_of_the_stride(tmp_path: Path) -> None:
    result = draw_checkerboard(
        [(2, 2), (3, 2), (4, 2), (5, 2), (6, 3), (4, 3)], tmp_path / "board.png"
    )
    assert result == {(2, 2): 1, (3, 2): 4, (4, 2): 1, (5, 2): 2.25, (6, 3): 1, (4, 3): 4}
    with Image.open(tmp_path / "board.png") as picture:
        assert picture.width > 900


def test_a_kernel_shorter_than_the_stride_leaves_holes(tmp_path: Path) -> None:
    assert draw_checkerboard([(1, 2)], tmp_path / "holes.png") == {(1, 2): float("inf")}


def test_a_comparison_has_a_line_for_each_network(tmp_path: Path) -> None:
    draw_curves_by_network(
        {"unet": [0.1, 0.4], "linknet": [0.2, 0.5]}, tmp_path / "race.png", ylabel="mean IoU"
    )
    colours = np.asarray(Image.open(tmp_path / "race.png").convert("RGB")).reshape(-1, 3)
    for expected in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):  # the first two of the style
        assert (np.abs(colours.astype(int) - expected).sum(1) < 20).sum() > 100
