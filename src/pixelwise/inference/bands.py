"""Which bands of a raster are red, green, blue, grey and alpha, by what the file says of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ImageError
from pixelwise.io.gdal import holds_opacity, read_sample

_COLOURS = ("red", "green", "blue")

# Descriptions that name a colour as a word or are its letter: neither red edge nor infra-red.
_NAMES = {
    name: re.compile(rf"{name[0]}|(?!.*infra)(?:.*[^a-z])?{name}(?![ _-]?edge)(?:[^a-z].*)?")
    for name in _COLOURS
}

# Colours of other kinds, by GDAL's names, that are no red, green and blue.
_FOREIGN = {
    **dict.fromkeys(("cyan", "magenta", "yellow", "black"), "CMYK"),
    **dict.fromkeys(("Y", "Cb", "Cr"), "YCbCr"),
    **dict.fromkeys(("hue", "saturation", "lightness"), "HSL"),
}


@dataclass(frozen=True)
class Bands:
    """colours: the bands that are red, green and blue, or the one that is grey or has a palette.
    alpha: the one of opacity. false_alpha: one that is only called so. unused: the others.
    """

    colours: tuple[int, ...]
    alpha: int | None = None
    false_alpha: int | None = None
    unused: tuple[int, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to say: grey or red, green, blue in this order, and alpha."""
        return self.colours in ((1,), (1, 2, 3)) and not self.unused

    def __str__(self) -> str:
        numbers = ", ".join(map(str, self.colours))
        plural = len(self.colours) > 1
        text = f"read by bands {numbers} as red, green, blue" if plural else f"read by {numbers}"
        if self.false_alpha is not None:
            text += f", as band {self.false_alpha} is called alpha but holds no opacity"
        return text


def choose_bands(dataset: Any, path: Path) -> Bands:
    """The bands of an open raster. Raises ImageError for colours of another kind, and for bands of
    which nothing says which are red, green and blue.
    """
    kinds = [kind.name for kind in dataset.colorinterp]
    for kind in kinds:
        if kind in _FOREIGN:
            raise ImageError.of_file(
                path,
                f"holds {_FOREIGN[kind]}",
                "convert it to RGB, as with `magick IN -colorspace sRGB OUT`",
            )
    named = _find_named(dataset.descriptions, kinds)
    flagged = kinds.index("alpha") + 1 if "alpha" in kinds else None
    if dataset.count == 2 and flagged is None and _is_mask(read_sample(dataset, [2])):
        flagged = 2
    others = tuple(band for band in dataset.indexes if band != flagged)
    if named is None and len(others) not in (1, 3) and dataset.count != 4:
        raise ImageError.of_file(path, *_too_many(dataset.count))
    colours = named or (others[:3] if len(others) >= 3 else others[:1])
    alpha = flagged if flagged is not None and holds_opacity(dataset, flagged) else None
    unused = tuple(band for band in dataset.indexes if band not in (*colours, alpha))
    return Bands(colours, alpha, None if alpha else flagged, unused)


def _is_mask(values: NDArray[Any]) -> bool:
    """Whether a band that nothing calls alpha can only be one: all is 0 or 255, and some 255."""
    return bool(np.isin(values, (0, 255)).all() and (values == 255).any())


def _find_named(descriptions: Sequence[str | None], kinds: Sequence[str]) -> tuple[int, ...] | None:
    """Bands called red, green and blue, by somebody who described them, or else by the file's
    colour interpretation, which GDAL sets by itself.
    """
    texts = [(text or "").strip().lower() for text in descriptions]
    for matches in (
        {name: _numbers(texts, _NAMES[name]) for name in _COLOURS},
        {name: _numbers(kinds, re.compile(name)) for name in _COLOURS},
    ):
        if all(len(numbers) == 1 for numbers in matches.values()):
            return tuple(matches[name][0] for name in _COLOURS)
    return None


def _numbers(texts: Sequence[str], pattern: "re.Pattern[str]") -> list[int]:
    return [number for number, text in enumerate(texts, 1) if pattern.fullmatch(text)]


def _too_many(count: int) -> tuple[str, str]:
    """Reason and advice for bands that nothing tells apart."""
    if count == 2:
        reason = "has 2 bands, of which the second is no alpha of 0 and 255"
        return reason, "choose the grey one, as with `gdal_translate -b 1 IN OUT`"
    reason = f"has {count} bands, of which none are called red, green and blue"
    return reason, "choose three, as with `gdal_translate -b 1 -b 2 -b 3 IN OUT`"
