"""Text with the characters of HTML in every page, and pages as a file that needs nothing else."""

import re
import tomllib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from jinja2 import UndefinedError

from pixelwise.classes import Classes
from pixelwise.io.images import encode_image
from pixelwise.metrics.boundary import BoundaryScores
from pixelwise.metrics.calibration import Reliability
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.metrics.error_analysis import BySize, NearBorders
from pixelwise.reports.findings_page import ClassShare, Section, write_findings
from pixelwise.reports.gallery import write_gallery
from pixelwise.reports.render import data_uri, format_percent, render_template
from pixelwise.reports.report_page import write_report
from pixelwise.reports.samples import Gallery, Sample
from pixelwise.reports.score_summary import ScoreSummary

NAME = '<b>&"'
JPEG = encode_image(np.zeros((4, 6, 3), np.uint8), "JPEG")


class Words(HTMLParser):
    """Counts the tags and the texts, and the values of attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.values: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def gallery() -> Gallery:
    return Gallery.of(
        Classes((NAME, "car"), ((1, 2, 3), (4, 5, 6))), [Sample(NAME, ((NAME, JPEG),))]
    )


def evaluation() -> ScoreSummary:
    """Two classes, one of the odd name, and two predictions of a third one; everything measured."""
    truth = np.repeat(np.array([[0], [1]], np.uint8), 8, axis=1)
    labels = truth.copy()
    labels[0, :2] = 1
    labels[1, :2] = 255
    confusion = ConfusionMatrix(2)
    confusion.update(torch.from_numpy(truth), torch.from_numpy(labels))
    boundary = BoundaryScores(2)
    near_borders = NearBorders()
    by_size = BySize()
    for metric in (boundary, near_borders, by_size):
        metric.update(truth, labels)
    reliability = Reliability()
    reliability.update(np.full(truth.shape, 0.75, np.float32), truth == labels)
    return ScoreSummary(
        (NAME, "car"),
        confusion.scores(),
        boundary,
        near_borders,
        by_size,
        reliability,
        temperature=2.0,
        calibrated=reliability,
        mean_iou_interval=(0.25, 0.5),
        iou_intervals=((0.25, 0.5), (float("nan"), float("nan"))),
        by_image=((NAME, 0.5), ("void", float("nan"))),
    )


def full_report(path: Path) -> None:
    write_report(
        path,
        title=NAME,
        facts=[(NAME, NAME)],
        scores=evaluation(),
        pictures=[],
        gallery=gallery(),
        tables=[("settings", ["name", "value", "why"], [[NAME, NAME, NAME]])],
        notes=[NAME],
    )


def full_gallery(path: Path) -> None:
    table = (NAME, [NAME, NAME], [[NAME, NAME]])
    write_gallery(
        path, title=NAME, lead=[NAME], facts=[(NAME, NAME)], tables=[table], gallery=gallery()
    )


def full_findings(path: Path) -> None:
    section = Section("error", NAME, NAME, 1, NAME, [NAME], [(NAME, [JPEG])])
    share = ClassShare(NAME, 0.5, 3, {NAME: 0.00001, "val": 0.0})
    write_findings(path, title=NAME, facts=[(NAME, NAME)], sections=[section], shares=[share])


@pytest.mark.parametrize(
    ("write", "occurrences"), [(full_report, 16), (full_gallery, 13), (full_findings, 10)]
)
def test_a_class_called_like_html_is_shown_as_it_is_called(
    write: Callable[[Path], None], occurrences: int, tmp_path: Path
) -> None:
    write(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    words = Words(page)
    assert words.texts.count(NAME) == occurrences
    assert any(NAME in value for value in words.values)  # an alternative text
    assert NAME not in page
    assert "script" not in words.tags
    assert not re.search(r"https?:|@import|url\(|<link", page)
    assert "{{" not in page
    assert "{%" not in page


def test_a_name_that_no_template_knows_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render_template("layout.html.j2")


def test_figures_are_per_cent_and_a_dash_where_there_are_none() -> None:
    texts = [format_percent(value) for value in (0.12345, 1.0, None, float("nan"))]
    assert texts == ["12.3%", "100.0%", "-", "-"]
    assert data_uri(b"\x00\x01", "image/png") == "data:image/png;base64,AAE="


def test_parts_that_were_not_measured_are_left_out(tmp_path: Path) -> None:
    confusion = ConfusionMatrix(1)
    confusion.update(torch.tensor([0, 0]), torch.tensor([0, 0]))
    summary = ScoreSummary(("car",), confusion.scores())
    write_report(tmp_path / "page.html", title="a", facts=[], scores=summary, pictures=[])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for heading in ("By class", "What is taken for what"):
        assert f"<h2>{heading}</h2>" in page
    for absent in ("Calibration", "Where errors lie", "Worst images", "boundary", "95 %"):
        assert absent not in page


def test_templates_are_installed_with_the_package() -> None:
    root = Path(__file__).parents[2]
    configuration = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = configuration["tool"]["setuptools"]["package-data"]["pixelwise"]
    package = root / "src/pixelwise"
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    assert set((package / "reports/templates").iterdir()) <= installed
