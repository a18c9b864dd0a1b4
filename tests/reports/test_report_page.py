import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.errors import ImageError
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.reports.report_page import Picture, write_report
from pixelwise.reports.samples import Gallery, Sample
from pixelwise.reports.score_summary import ScoreSummary

NASTY = "<script>alert('x')</script> & \"so\""
VOID_TAGS = {"meta", "img", "input"}


class Reader(HTMLParser):
    """Collects the text, the attributes and the tags, and insists that every tag is closed in
    order.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID_TAGS:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def scores(names: tuple[str, ...] = ("road", "car", "sky")) -> ScoreSummary:
    """road: 3 of 4 right, 1 taken for a car; car: 1 of 1; sky: absent."""
    matrix = ConfusionMatrix(3)
    matrix.update(torch.tensor([0, 0, 0, 0, 1, 255]), torch.tensor([0, 0, 0, 1, 1, 0]), images=2)
    return ScoreSummary(names, matrix.scores())


def page(tmp_path: Path, **changes: object) -> str:
    given: dict[str, object] = {
        "title": "a run",
        "facts": [],
        "scores": None,
        "pictures": [],
        **changes,
    }
    write_report(tmp_path / "report.html", **given)  # type: ignore[arg-type]
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_all_text_is_escaped_and_read_back_as_it_was(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    text = page(
        tmp_path,
        title=NASTY,
        facts=[(NASTY, NASTY)],
        scores=scores((NASTY, "car", "sky")),
        pictures=[Picture(NASTY, tmp_path / "a.png")],
        notes=[NASTY],
    )
    assert "<script" not in text
    reader = Reader(text)
    assert "script" not in reader.tags
    assert (
        reader.words.count(NASTY) == 8
    )  # title twice, fact twice, class, truth of an error, caption, note
    assert reader.attributes["alt"] == [NASTY]


def test_the_page_holds_its_pictures_and_needs_nothing_from_outside(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 6, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    text = page(tmp_path, scores=scores(), pictures=[Picture("one", tmp_path / "a.png")])
    [source] = Reader(text).attributes["src"]
    assert (
        base64.b64decode(source.removeprefix("data:image/png;base64,"))
        == (tmp_path / "a.png").read_bytes()
    )
    assert not re.search(r"https?:|@import|url\(|<link", text)


def test_the_page_fits_a_phone_and_the_dark(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert 'name="viewport" content="width=device-width' in text
    assert "prefers-color-scheme: dark" in text
    assert "max-width: 100%" in text


def test_scores_stand_by_class_with_their_means_and_absent_classes_have_none(
    tmp_path: Path,
) -> None:
    text = page(tmp_path, scores=scores())
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r"<tr[^>]*>.*?</tr>", text)]
    assert ["road", "75.0%", "100.0%", "75.0%", "85.7%"] in rows
    assert ["car", "50.0%", "50.0%", "100.0%", "66.7%"] in rows
    assert ["sky", "&ndash;", "-", "-", "-"] in rows
    assert ["mean", "62.5%", "75.0%", "87.5%", "76.2%"] in rows
    assert ["road", "car", "25.0%"] in rows
    assert "Measured on 2 images; 16.7% of the pixels are void." in text


def test_the_share_of_an_error_counts_pixels_taken_for_none_of_the_classes(tmp_path: Path) -> None:
    matrix = ConfusionMatrix(2)
    matrix.update(torch.tensor([0, 0, 0, 0]), torch.tensor([0, 0, 1, 255]))
    text = page(tmp_path, scores=ScoreSummary(("a", "b"), matrix.scores()))
    assert re.findall(r">([\d.]+%)<", text.split('<table class="errors">')[1]) == ["25.0%"]


def test_the_mean_in_the_table_is_the_mean_of_the_scores(tmp_path: Path) -> None:
    found = scores()
    assert f"{found.scores.mean_iou:.1%}" == "62.5%"
    assert (
        page(tmp_path, scores=found).count(">62.5%<") == 3
    )  # at the top, in the table of totals, and below the classes


def test_the_bar_is_as_long_as_the_figure(tmp_path: Path) -> None:
    bars = re.findall(r'--share: ([\d.]+%)">([\d.]+%)<', page(tmp_path, scores=scores()))
    assert len(bars) > 5
    assert all(bar == figure for bar, figure in bars)


def test_without_scores_there_is_no_table_of_them(tmp_path: Path) -> None:
    text = page(tmp_path, facts=[("decoder", "unet")])
    assert "IoU" not in text
    assert "decoder" in Reader(text).words


def test_scores_over_nothing_make_a_page(tmp_path: Path) -> None:
    empty = ScoreSummary(("a", "b"), ConfusionMatrix(2).scores())
    assert "nan" not in page(tmp_path, scores=empty)


def test_tags_are_balanced(tmp_path: Path) -> None:
    Reader(page(tmp_path, facts=[("a", "b")], scores=scores(), notes=["n"]))


@pytest.mark.parametrize("name", ["missing.png", "text.txt"])
def test_a_picture_that_cannot_be_shown_is_refused_and_nothing_is_written(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("")
    with pytest.raises(ImageError, match=name):
        page(tmp_path, pictures=[Picture("one", tmp_path / name)])
    assert not (tmp_path / "report.html").exists()


def test_a_class_that_is_not_painted_is_called_so_in_the_legend(tmp_path: Path) -> None:
    gallery = Gallery.of(
        Classes(("ground", "cat"), ((0, 0, 0), (9, 8, 7))), [Sample("a", (("image", b""),))]
    )
    text = page(tmp_path, gallery=gallery)
    assert re.findall(r'<i class="(\w*)" style="--of: rgb\(([^)]*)\)"></i>([^<]*)<', text) == [
        ("bare", "0, 0, 0", "ground (unpainted)"),
        ("", "9, 8, 7", "cat"),
        ("void", "224, 224, 192", "void"),
    ]
