"""The page in a real browser, as wide as a phone and as a desk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from pixelwise.classes import Classes
from pixelwise.metrics.boundary import BoundaryScores
from pixelwise.metrics.calibration import Reliability
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.metrics.error_analysis import BySize, NearBorders
from pixelwise.reports.report_page import Picture, write_report
from pixelwise.reports.samples import Gallery, draw_sample
from pixelwise.reports.score_summary import ScoreSummary

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
CLASSES = 40


def full_page(folder: Path) -> Path:
    """A page with everything on it, of 40 classes with long names."""
    names = tuple(f"class_with_a_name_of_some_length_{k}" for k in range(CLASSES))
    classes = Classes.named(names)
    rng = np.random.default_rng(0)
    truth, labels = (
        np.kron(rng.integers(0, CLASSES, (8, 12)), np.ones((10, 10))).astype(np.uint8)
        for _ in range(2)
    )
    confusion = ConfusionMatrix(CLASSES)
    boundary = BoundaryScores(CLASSES)
    near = NearBorders()
    sizes = BySize()
    reliability = Reliability()
    confusion.update(torch.from_numpy(truth), torch.from_numpy(labels))
    for part in (boundary, near, sizes):
        part.update(truth, labels)
    confidence = rng.random(truth.shape, dtype=np.float32)
    reliability.update(confidence, truth == labels)
    Figure(figsize=(13, 4)).savefig(folder / "curves.png")
    row = draw_sample(
        "an image", (np.zeros((*truth.shape, 3), np.uint8), truth, labels), confidence, classes
    )
    scores = ScoreSummary(
        names,
        confusion.scores(),
        boundary=boundary,
        near_borders=near,
        by_size=sizes,
        reliability=reliability,
        temperature=1.5,
        calibrated=reliability,
        mean_iou_interval=(0.4, 0.6),
        iou_intervals=((0.25, 0.75),) * CLASSES,
        by_image=tuple((f"a_file_name_without_any_place_to_break_{k}" * 2, 0.5) for k in (1, 2)),
    )
    path = folder / "report.html"
    write_report(
        path,
        title="a_run_with_a_name_that_is_wider_than_a_telephone_is",
        facts=[("Data", "/a/path/" + "that_is_long/" * 12)],
        scores=scores,
        pictures=[Picture("Curves", folder / "curves.png", is_chart=True)],
        gallery=Gallery(dict(zip(names, classes.palette, strict=True)), [row]),
        tables=[
            ("Settings", ["name", "value", "why"], [("encoder", "x" * 80, "a reason " * 20)]),
        ],
        notes=["a note " * 30],
    )
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as engine:
        found = engine.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield found
        found.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window_and_nothing_is_fetched(
    browser, width: int, tmp_path: Path
) -> None:
    path = full_page(tmp_path)
    page = browser.new_page(viewport={"width": width, "height": 844}, java_script_enabled=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.evaluate(
        """[...document.querySelectorAll('body *')]
        .filter(e => !e.closest('.scroll') || e.classList.contains('scroll'))
        .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.tagName)"""
    )
    assert beyond == []
    pictures = page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
    assert pictures == [True] * 6
    page.close()
