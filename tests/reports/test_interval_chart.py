import re

import pytest

from pixelwise.reports.interval_chart import Interval, render_intervals


def test_a_clear_difference_is_strong_and_one_that_holds_0_is_faint() -> None:
    chart = str(
        render_intervals(
            [Interval("mean", 0.02, 0.01, 0.04, True), Interval("cat", 0.0, -0.01, 0.01, False)]
        )
    )
    first, second = chart.split("<g")[1:]
    assert "opacity" not in first
    assert "var(--good)" in first
    assert 'opacity=".55"' in second
    assert "mean: +2.0 points" in first


def test_places_follow_one_scale_that_is_even_around_0() -> None:
    chart = str(render_intervals([Interval("mean", 0.02, -0.01, 0.04, False)]))
    left, right, zero = map(float, re.findall(r'class="soft" x="([\d.]+)"', chart))
    assert zero - left == right - zero
    bar = re.search(r'<rect x="([\d.]+)" y="\d+" width="([\d.]+)"', chart)
    assert bar
    # 4 points reach the right end, -1 a quarter of the way to the left one
    assert float(bar[1]) == pytest.approx(zero - (zero - left) / 4)
    assert float(bar[1]) + float(bar[2]) == pytest.approx(right)


def test_a_hundredth_of_a_point_does_not_fill_the_chart() -> None:
    chart = str(render_intervals([Interval("mean", 0.0001, 0.00005, 0.0002, True)]))
    assert ">+1.0</text>" in chart


def test_a_name_like_html_is_shown_as_it_is() -> None:
    assert "<b>" not in render_intervals([Interval("<b>", 0.1, 0.05, 0.2, True)])
