"""How the masks of a data set are written: one encoding for all of them, found once, by which
training, evaluation, conversion and checks read.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.mask_reader import (
    ILLEGAL,
    LabelReader,
    MatteReader,
    Values,
    pack_colour,
    unpack,
)
from pixelwise.datasets.pair_stats import MaskStats
from pixelwise.io.images import Array

Table = tuple[tuple[int, int], ...]
"""(raw value or packed colour, class id or VOID), sorted."""

Form = Literal["ids", "binary", "pair", "colours", "matte", "drawn"]
"""Numbers of classes, 0 and 255, two high values, colours, alpha, labels drawn from annotations."""

_LOSSY = frozenset({"JPEG", "WEBP", "MPO"})
_GREY = 0x010101


@dataclass(frozen=True)
class MaskEncoding:
    """What the raw values of masks mean.

    `values` serves masks of numbers, `colours` masks of colours. `declared` says that the classes
    are known, not guessed. `kind` and `evidence` are for the user. `binary` says that two raw
    values are two classes and none is void. RGB masks that are grey everywhere hold numbers if
    `grey_as_numbers`. `alpha` says that most masks are drawn in their alpha channel.
    """

    form: Form
    kind: str
    evidence: str
    classes: Classes
    values: Table
    colours: Table = ()
    declared: bool = True
    binary: bool = False
    grey_as_numbers: bool = True
    alpha: bool = False

    def table(self, coloured: bool) -> tuple[Values, Array]:
        """Legal raw values, sorted, and the label of each."""
        pairs = self.colours if coloured else self.values
        raws = np.array([raw for raw, _ in pairs], np.int64)
        return raws, np.array([label for _, label in pairs], np.uint8)

    @property
    def closest(self) -> int:
        """The least distance of two classes' numbers."""
        raws = sorted(raw for raw, label in self.values if label != VOID)
        return min((b - a for a, b in pairwise(raws)), default=VOID)

    def interpret(self, stats: MaskStats) -> MaskStats:
        """A mask's statistics with the values by which it is read: grey as colours where colours
        are classes, alpha where that is drawn.
        """
        if self.alpha and stats.alpha is not None:
            pixels = stats.table[1:].sum(axis=1)
            table = np.array([[stats.alpha], [pixels[0]], [pixels[1]]], np.int32)
            return replace(stats, coloured=False, table=table)
        if stats.rgb and not stats.coloured and self.colours and not self.grey_as_numbers:
            table = stats.table.copy()
            table[0] *= _GREY
            return replace(stats, coloured=True, table=table)
        return stats

    def legal(self, stats: MaskStats) -> NDArray[np.bool_]:
        """Which of a mask's values have a meaning."""
        return np.isin(stats.values, self.table(stats.coloured)[0])

    def all_legal(self, stats: MaskStats) -> bool:
        """Whether every pixel of a mask has a meaning."""
        return stats.distinct == len(stats.values) and bool(self.legal(stats).all())

    def pixels(self, stats: MaskStats) -> NDArray[np.int64]:
        """(256,) pixels by class id, 255 for void; pixels of no meaning are left out."""
        raws, labels = self.table(stats.coloured)
        counts = np.zeros(256, np.int64)
        if len(raws):
            place = np.minimum(np.searchsorted(raws, stats.values), len(raws) - 1)
            known = raws[place] == stats.values
            np.add.at(counts, labels[place[known]], stats.counts[known])
        return counts

    def reader(self) -> LabelReader:
        """What reads masks so."""
        table = dict(self.values)
        by_label = {label: raw for raw, label in self.colours}
        void = tuple(unpack(raw) for raw, label in self.colours if label == VOID)
        labels = [label for label in sorted(by_label) if label != VOID]
        return LabelReader(
            len(self.classes),
            tuple(table.get(raw, ILLEGAL) for raw in range(256)),
            tuple(unpack(by_label[label]) for label in labels),
            void,
            grey_as_numbers=self.grey_as_numbers,
            alpha=self.alpha,
        )


def is_lossy(stats: MaskStats) -> bool:
    """Whether the file's format changes values."""
    return stats.file.format in _LOSSY


def encoding_of_reader(
    reader: LabelReader, classes: Classes, *, kind: str, evidence: str
) -> MaskEncoding:
    """The encoding of a format whose reader and classes are known."""
    values = [(raw, label) for raw, label in enumerate(reader.lut) if label != ILLEGAL]
    colours = {pack_colour(colour): VOID for colour in reader.void_colours}
    colours |= {pack_colour(colour): label for label, colour in enumerate(reader.colours)}
    return MaskEncoding(
        "ids",
        kind,
        evidence,
        classes,
        tuple(values),
        tuple(sorted(colours.items())),
        grey_as_numbers=reader.grey_as_numbers or not reader.colours,
        alpha=reader.alpha,
    )


def matte_encoding(reader: MatteReader, classes: Classes) -> MaskEncoding:
    """The encoding of alpha mattes."""
    values = tuple((alpha, int(alpha >= reader.threshold)) for alpha in range(256))
    evidence = "0 is background, 255 is person"
    return MaskEncoding("matte", "alpha mattes", evidence, classes, values)


def drawn_encoding(classes: Classes, *, kind: str, evidence: str) -> MaskEncoding:
    """The encoding of labels that are drawn from annotations."""
    values = (*((label, label) for label in range(len(classes))), (VOID, VOID))
    return MaskEncoding("drawn", kind, evidence, classes, values)
