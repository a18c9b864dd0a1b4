"""The drawings return what they show: worked figures of the course, and PyTorch's own operators."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pixelwise.errors import ConfigError
from pixelwise.io.images import oriented_size
from pixelwise.teaching.convolution_figures import (
    draw_bilinear,
    draw_convolution,
    draw_insertion,
    draw_matrix,
    draw_pooling,
)

NINE = torch.arange(9.0).reshape(3, 3)
SMALL = torch.arange(4.0).reshape(2, 2)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    return tmp_path / "drawing.png"


def test_a_convolution_is_drawn_window_by_window(png: Path) -> None:
    assert draw_convolution(NINE, SMALL, png).tolist() == [[19, 25], [37, 43]]
    two_rows = oriented_size(png)[0]
    draw_convolution(torch.ones(5, 5), SMALL, png, stride=2, padding=1)  # nine windows
    assert oriented_size(png)[0] > two_rows


def test_a_matrix_and_its_transpose_are_the_convolution_and_the_transposed_one(png: Path) -> None:
    kernel = torch.tensor([[1.0, 2], [3, 4]])
    output, back = draw_matrix(NINE, kernel, png)
    assert output.tolist() == [[27, 37], [57, 67]]
    assert back.tolist() == [[27, 91, 74], [138, 400, 282], [171, 429, 268]]
    large = torch.arange(1, 17).reshape(4, 4)
    output, _ = draw_matrix(large, torch.arange(1, 10).reshape(3, 3), png)
    assert output.tolist() == [[348, 393], [528, 573]]
    with pytest.raises(ConfigError, match="at most 16"):
        draw_matrix(torch.ones(5, 5), kernel, png)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 0), (1, 1), (3, 1)])
def test_zeros_inserted_and_convolved_are_the_transposed_convolution(
    png: Path, stride: int, padding: int
) -> None:
    result = draw_insertion(SMALL, SMALL, png, stride=stride, padding=padding)
    batch = SMALL[None, None]
    expected = F.conv_transpose2d(batch, batch, stride=stride, padding=padding)[0, 0]
    assert torch.equal(result, expected)
    with pytest.raises(ConfigError, match="padding 2"):
        draw_insertion(SMALL, SMALL, png, padding=2)


def test_pooling_and_what_undoes_it(png: Path) -> None:
    maps = draw_pooling(torch.tensor([[9, 1], [2, 8]]), png)
    assert maps["max-pooling"].tolist() == [[9]]
    assert maps["max-unpooling"].tolist() == [[9, 0], [0, 0]]
    assert maps["average-unpooling"].tolist() == [[5, 5], [5, 5]]
    with pytest.raises(ConfigError, match="even sides"):
        draw_pooling(NINE, png)


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_the_bilinear_kernel_interpolates(png: Path, stride: int) -> None:
    result = draw_bilinear(png, stride=stride)
    input = torch.zeros(4, 4)
    input[1:3, 1:3] = torch.tensor([[10.0, 20], [30, 40]])
    expected = F.interpolate(input[None, None], scale_factor=stride, mode="bilinear")[0, 0]
    assert torch.allclose(result, expected, atol=1e-5)  # zeros at the border: no difference there
    with pytest.raises(ConfigError, match="stride 9"):
        draw_bilinear(png, stride=9)
