import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.reports import fonts
from pixelwise.reports.figure_style import set_letters
from pixelwise.reports.findings_page import ClassShare, draw_class_shares
from pixelwise.reports.fonts import find_font, has_letters, legible, list_fonts, load_font
from pixelwise.reports.overlays import add_legend
from pixelwise.reports.samples import draw_samples

DEJAVU = Path(font_manager.findfont("DejaVu Sans"))
CHINESE = "\N{CJK UNIFIED IDEOGRAPH-4EBA}"

CACHED = (fonts._find_file, fonts.list_fonts, fonts._read_characters)


@pytest.fixture(autouse=True)
def _no_system_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine without fonts of its own."""
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    _forget()
    yield
    _forget()


def _forget() -> None:
    for function in CACHED:
        function.cache_clear()


@pytest.fixture
def chinese_font(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A font of the system that has all letters, as far as its table says."""
    file = Path(font_manager.findfont("DejaVu Serif"))
    read = fonts._read_characters
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(file)])
    monkeypatch.setattr(
        fonts,
        "_read_characters",
        lambda path: read(path) | ({ord(CHINESE)} if path == file else set()),
    )
    return file


def test_english_takes_pillows_own_font_and_other_letters_one_that_has_them() -> None:
    assert find_font("background 12%") is None
    for text in ("Z\u00fcrich", "\u0444\u043e\u043d", "\u03b1\u03b2", "\u015b\u0107ie\u017cka"):
        assert find_font(text) == DEJAVU
        assert legible(text) == text
        assert load_font(text, 14).path == DEJAVU  # type: ignore[union-attr]


def test_accents_that_macos_writes_apart_are_joined() -> None:
    apart = unicodedata.normalize("NFD", "caf\u00e9")
    assert len(apart) == 5
    assert legible(apart) == "caf\u00e9"


def test_letters_that_no_font_has_are_written_otherwise() -> None:
    assert not has_letters(CHINESE)
    assert legible(CHINESE, "class 1") == "class 1"
    assert legible(f"{CHINESE}_00.jpg") == "\\u4eba_00.jpg"


def test_a_font_of_the_system_that_has_the_letters_is_taken(chinese_font: Path) -> None:
    assert find_font(f"{CHINESE} 12%") == chinese_font
    assert legible(CHINESE, "class 1") == CHINESE


def test_likely_regular_fonts_come_first_and_boxes_never(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "a/Zeta.ttf",
        "a/LastResort.otf",
        "a/msyhbd-Bold.ttc",
        "a/msyh.ttc",
        "a/NotoSansCJK.ttc",
    ]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: names)
    _forget()
    assert [file.name for file in list_fonts()[1:]] == [
        "NotoSansCJK.ttc",
        "msyh.ttc",
        "msyhbd-Bold.ttc",
        "Zeta.ttf",
    ]


def test_a_font_that_cannot_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(tmp_path / "broken.ttf")])
    _forget()
    assert find_font(CHINESE) is None


def legend(*names: str) -> np.ndarray:
    palette = Classes.named(names).palette
    picture = np.zeros((40, 300, 3), np.uint8)
    return np.asarray(add_legend(picture, names, palette, range(len(names))))[40:]


@pytest.mark.usefixtures("chinese_font")
def test_a_legend_with_a_font_for_its_names_has_no_line_more() -> None:
    assert legend("a", CHINESE).shape == legend("a", "b").shape


def test_a_legend_calls_such_classes_by_their_ids_and_says_why() -> None:
    plain = legend("a", "class 1")
    ids = legend("a", CHINESE)
    assert len(ids) > len(plain)  # a line more
    gap = 6
    rows = slice(0, len(plain) - gap)
    np.testing.assert_array_equal(ids[rows, : plain.shape[1]], plain[rows])
    assert (ids[len(plain) - gap :] < 200).any()


def test_sample_grids_say_it_too(tmp_path: Path) -> None:
    rgb = np.zeros((20, 30, 3), np.uint8)
    labels = np.ones((20, 30), np.uint8)
    heights = []
    for name, title in (("b", "a.jpg"), (CHINESE, "a.jpg"), ("b", f"{CHINESE}.jpg")):
        classes = Classes.named(("a", name))
        draw_samples([(rgb, labels, labels)], tmp_path / "grid.png", classes, [title])
        with Image.open(tmp_path / "grid.png") as grid:
            heights.append(grid.height)
    assert heights[0] < heights[1] == heights[2]


def test_figures_draw_no_glyph_that_is_missing() -> None:
    """Matplotlib warns of one, and warnings are errors here."""
    assert draw_class_shares([ClassShare(CHINESE, 0.5, 3, {}), ClassShare("\u0444", 0.5, 3, {})])
    figure = Figure()
    title = figure.subplots().set_title(f"{CHINESE}.jpg", fontsize=10)
    set_letters(title)
    assert title.get_text() == "\\u4eba.jpg"
    figure.canvas.draw()
