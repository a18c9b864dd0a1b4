import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pixelwise.reports import figure_style as style
from pixelwise.reports.render import STYLE

SOURCE = Path(style.__file__).parents[1]


def test_the_smallest_letters_can_be_read_on_a_phone() -> None:
    pixels = style.SMALL_LETTERS / 72 / style.WIDTH * 360
    assert pixels >= 7


def test_columns_share_the_width_until_they_are_narrow() -> None:
    assert style.make_grid(1, 2)[0].get_figwidth() == style.make_grid(2, 4)[0].get_figwidth()
    assert style.make_grid(1, 9)[0].get_figwidth() > style.WIDTH


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize(
    ("colour", "contrast"), [(style.INK, 7), (style.SOFT, 4.5), (style.BLUE, 3), (style.ORANGE, 3)]
)
def test_letters_and_lines_stand_out_on_white(colour: str, contrast: float) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= contrast


def test_lines_differ_where_green_and_red_look_alike() -> None:
    # what a deuteranope sees (Machado et al. 2009, severity 1)
    seen = [[0.367, 0.861, -0.228], [0.28, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    colours = [np.array(seen) @ to_rgb(colour) for colour in style.SERIES]
    for first, second in itertools.combinations(colours, 2):
        assert np.abs(first - second).max() > 0.1


def test_a_plot_has_a_legend_only_where_lines_have_names() -> None:
    plain, named = Figure().subplots(1, 2)
    plain.plot([1, 2])
    named.plot([1, 2], label="training")
    for axes in (plain, named):
        style.style_plot(axes, title="loss")
    assert plain.get_legend() is None
    assert named.get_legend() is not None


def test_no_other_module_sets_up_a_figure() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "figure_style.py":
            assert not re.search("figsize|savefig|spines", text), path


def test_pages_have_the_colours_of_the_figures() -> None:
    light = STYLE.read_text(encoding="utf-8").partition("@media")[0]
    assert f"--good: {style.BLUE}" in light
    assert f"--bad: {style.ORANGE}" in light
