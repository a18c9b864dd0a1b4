"""Fonts for names in any script: Pillow's own has the letters of English alone, and what a font has
not is drawn as an empty box.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from PIL import ImageFont

# Of file names in lower case: fonts for Chinese, Japanese and Korean of Linux, Windows and macOS,
# which are looked into before all others.
_LIKELY = (
    "notosanscjk",
    "notosanssc",
    "sourcehansans",
    "wqy",
    "droidsansfallback",
    "msyh",
    "simhei",
    "simsun",
    "yugoth",
    "meiryo",
    "malgun",
    "pingfang",
    "hiragino",
    "stheiti",
    "applesdgothic",
    "arialuni",
    "arial unicode",
    "unifont",
)
_UNUSUAL = ("bold", "italic", "oblique", "light", "thin", "black", "condensed", "mono")
# It has a glyph for everything: a box with the character's number.
_LAST_RESORT = "lastresort"

NO_FONT = "No font here has the letters of some names: install one, such as Noto Sans CJK."


def legible(text: str, instead: str = "") -> str:
    """The text where a font here has its letters; otherwise `instead`, or the text with numbers of
    characters, such as \\u4eba, for what no font has.
    """
    text = unicodedata.normalize("NFC", text)  # macOS writes accents apart
    if has_letters(text):
        return text
    return instead or text.encode("ascii", "backslashreplace").decode("ascii")


def has_letters(text: str) -> bool:
    """Whether a font here has all letters of the text."""
    return text.isascii() or find_font(text) is not None


def load_font(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font for a text that is `legible`, `size` pixels high."""
    file = find_font(text)
    return ImageFont.load_default(size=size) if file is None else ImageFont.truetype(file, size)


def find_font(text: str) -> Path | None:
    """The file of a font that has all letters of the text; None where there is none, and where
    Pillow's own font has them.
    """
    characters = {letter for letter in text if not letter.isspace() and letter.isprintable()}
    return None if text.isascii() else _find_file(frozenset(map(ord, characters)))


@cache
def _find_file(characters: frozenset[int]) -> Path | None:
    for file in list_fonts():
        if characters <= _read_characters(file):
            return file
    return None


@cache
def list_fonts() -> tuple[Path, ...]:
    """Font files, the likeliest first: that of Matplotlib, which has Latin, Greek, Cyrillic and
    Arabic letters, then those of the system.
    """
    from matplotlib import font_manager  # slow to import, and seldom needed

    own = Path(font_manager.findfont("DejaVu Sans"))
    files = sorted(map(Path, font_manager.findSystemFonts()), key=_likelihood)
    return (own, *(file for file in files if _LAST_RESORT not in file.name.lower()))


def _likelihood(file: Path) -> tuple[int, int, str]:
    name = file.name.lower()
    place = next((number for number, part in enumerate(_LIKELY) if part in name), len(_LIKELY))
    return place, sum(part in name for part in _UNUSUAL), name


@cache
def _read_characters(file: Path) -> frozenset[int]:
    """The code points that a font has; none of one that cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(file)).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


def missing_letters(texts: Iterable[str]) -> bool:
    """Whether some of the texts are not legible as they are."""
    return not all(has_letters(unicodedata.normalize("NFC", text)) for text in texts)
