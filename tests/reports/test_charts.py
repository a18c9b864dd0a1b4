import re
from xml.etree import ElementTree

import numpy as np
import pytest

from pixelwise.metrics.calibration import Reliability
from pixelwise.reports.charts import render_confusion_matrix, render_reliability


def cells(svg: str) -> dict[str, float]:
    """What every drawn cell tells, with its opacity."""
    root = ElementTree.fromstring(svg)
    return {
        rect[0].text or "": float(rect.get("fill-opacity", "0"))
        for rect in root.iter("rect")
        if len(rect)
    }


def test_rows_are_shares_of_the_true_class_and_an_absent_class_is_empty() -> None:
    shares = np.array([[0.75, 0.25, 0.0], [0.0, 1.0, 0.0], [np.nan] * 3])
    svg = render_confusion_matrix(shares, ("road", "car", "<sky>"), ("road", "car", "<sky>"))
    found = cells(svg)
    assert found.keys() == {
        "road taken for road: 75.0%",
        "road taken for car: 25.0%",
        "car taken for car: 100.0%",
    }
    assert found["road taken for car: 25.0%"] < found["road taken for road: 75.0%"] < 1
    assert re.findall(r'pointer-events="none">(\d+)<', svg) == ["75", "25", "100"]
    assert svg.count('fill="var(--bad)"') == 1


@pytest.mark.parametrize("classes", [1, 2, 25, 60, 150])
def test_names_and_cells_stay_within_the_picture_and_apart(classes: int) -> None:
    names = [f"a rather long class name {k}" for k in range(classes)]
    svg = render_confusion_matrix(np.full((classes, classes), 1 / classes), names, names)
    root = ElementTree.fromstring(svg)
    width = float(root.get("width", 0))
    height = float(root.get("height", 0))
    size = float(root.get("font-size", 0))
    rows = [text for text in root.iter("text") if text.get("text-anchor") == "end"]
    assert len(rows) == classes
    assert all(len(text.text or "") <= 20 for text in rows)
    places = [float(text.get("y", 0)) for text in rows]
    assert min(np.diff(places), default=99) >= size >= 11
    for rect in root.iter("rect"):
        assert float(rect.get("x", 0)) + float(rect.get("width", 0)) <= width
        assert float(rect.get("y", 0)) + float(rect.get("height", 0)) <= height
    assert len(svg) < 6_000_000


def test_the_reliability_curve_passes_through_the_bins() -> None:
    found = Reliability()
    found.update(np.array([0.5, 0.5, 0.9, 0.9], np.float32), np.array([True, False, True, True]))
    root = ElementTree.fromstring(render_reliability({"as it is": found, "then": found}))
    lines = [line.get("points") for line in root.iter("polyline")]
    assert len(lines) == 2
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in (lines[0] or "").split())
    assert y0 - y1 == pytest.approx(0.5 * 280, abs=0.1)  # from half to all of them right
    assert x1 - x0 == pytest.approx(0.4 * 280, abs=0.2)
