import pytest
import torch

from pixelwise.errors import ConfigError
from pixelwise.reports.figure_style import make_grid
from pixelwise.teaching.number_grids import check_side, draw_numbers, frame_cells


def test_a_table_shows_each_number_and_tints_what_is_not_zero() -> None:
    _, grid = make_grid(1, 2)
    draw_numbers(grid[0, 0], torch.tensor([[0.0, 1.5], [20, -3]]), "a title")
    assert [text.get_text() for text in grid[0, 0].texts] == ["0", "1.5", "20", "-3"]
    assert grid[0, 0].images[0].get_array().tolist() == [[False, True], [True, True]]


def test_a_frame_lies_around_whole_cells() -> None:
    _, grid = make_grid(1, 1)
    frame_cells(grid[0, 0], (2, 3), (4, 5))  # two rows, three columns, from column 4 and row 5
    frame = grid[0, 0].patches[0]
    assert frame.get_bbox().bounds == (3.5, 4.5, 3, 2)


def test_what_nobody_could_read_is_refused() -> None:
    check_side("input", torch.ones(6, 6))
    with pytest.raises(ConfigError, match="at most 6"):
        check_side("input", torch.ones(2, 7))
    with pytest.raises(ConfigError, match="give a tensor"):
        check_side("kernel", [[1]])  # type: ignore[arg-type]
