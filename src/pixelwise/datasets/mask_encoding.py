"""How the masks of a data set are written: one encoding for all of them, judged once, by which
training, evaluation, conversion and checks read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.mask_numbers import NODATA
from pixelwise.datasets.mask_reader import ILLEGAL, NOISE, LabelReader, MatteReader, Table
from pixelwise.datasets.pair_stats import MaskStats
from pixelwise.datasets.raw_mask import Values, pack_colour, packed_palette, unpack
from pixelwise.io.images import Array

Form = Literal["ids", "binary", "pair", "colours", "matte", "drawn"]
"""Numbers of classes, 0 and 255, two high values, colours, alpha, labels drawn from annotations."""

_GREY = 0x010101


@dataclass(frozen=True)
class MaskEncoding:
    """What the raw values of masks mean.

    `values` serves masks of numbers, `colours` masks of colours. `declared` says that the classes
    are known, not guessed. `kind` and `evidence` are for the user. `binary` says that two raw
    values are two classes and none is void. RGB masks that are grey everywhere hold numbers if
    `grey_as_numbers`. `alpha` says that most masks are drawn in their alpha channel, `by_palette`
    that palette masks are read by colour, `instances` that every value above 0 is the second
    class. `void_drawn` says that 255 stands beside classes in the masks or is declared, so that
    a mask of 0 and 255 alone has void, not another writing; `stretch` is the number by which
    ids were multiplied in some masks, where that is so.
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
    by_palette: bool = False
    instances: bool = False
    void_drawn: bool = True
    stretch: float = 0

    def table(self, coloured: bool) -> tuple[Values, Array]:
        """Legal raw values, sorted, and the label of each."""
        pairs = self.colours if coloured else ((NODATA, VOID), *self.values)
        raws = [raw for raw, _ in pairs]
        labels = [label for _, label in pairs]
        return np.array(raws, np.int64), np.array(labels, np.uint8)

    @property
    def closest(self) -> int:
        """The least distance of two classes' numbers."""
        raws = sorted(raw for raw, label in self.values if label != VOID)
        distances = [higher - lower for lower, higher in pairwise(raws)]
        return min(distances, default=VOID)

    def interpret(self, stats: MaskStats) -> MaskStats:
        """A mask's statistics with the values by which it is read: grey as colours where colours
        are classes, alpha where that is drawn.
        """
        if self.alpha and stats.alpha is not None:
            # Its one colour says nothing: all pixels have the one alpha.
            counts, solid = stats.table[1:].sum(axis=1)
            table = np.array([[stats.alpha], [counts], [solid]], np.int32)
            return replace(stats, coloured=False, table=table)
        if self.instances:
            return _join_instances(stats)
        if self.by_palette and stats.palette and not stats.coloured:
            table = stats.table.copy()
            table[0] = packed_palette(stats.palette)[stats.values]
            return replace(stats, coloured=True, rgb=True, table=table)
        grey_rgb = stats.rgb and not stats.coloured
        if grey_rgb and self.colours and not self.grey_as_numbers:
            table = stats.table.copy()
            table[0] *= _GREY
            return replace(stats, coloured=True, table=table)
        return stats

    def legal(self, stats: MaskStats) -> NDArray[np.bool_]:
        """Which of a mask's values have a meaning."""
        raws, _ = self.table(stats.coloured)
        return np.isin(stats.values, raws)

    def all_legal(self, stats: MaskStats) -> bool:
        """Whether every pixel of a mask has a meaning."""
        # Of values beyond those that were measured, nothing is known.
        all_measured = stats.distinct == len(stats.values)
        return all_measured and bool(self.legal(stats).all())

    def pixels(self, stats: MaskStats) -> NDArray[np.int64]:
        """(256,) pixels by class id, 255 for void; pixels of no meaning are left out."""
        raws, labels = self.table(stats.coloured)
        counts = np.zeros(256, np.int64)
        if not len(raws):
            return counts
        positions = np.minimum(np.searchsorted(raws, stats.values), len(raws) - 1)
        legal = raws[positions] == stats.values
        # add.at, not +=: several raw values may be one class.
        np.add.at(counts, labels[positions[legal]], stats.counts[legal])
        return counts

    def merged(self, classes: Classes, table: Sequence[int], description: str) -> "MaskEncoding":
        """The same masks read as other `classes`: each label as that of `table` (256 ids)."""
        return replace(
            self,
            evidence=f"{self.evidence}; read as {description}",
            classes=classes,
            values=tuple((raw, table[label]) for raw, label in self.values),
            colours=tuple((raw, table[label]) for raw, label in self.colours),
        )

    def reader(self) -> LabelReader:
        """The reader of masks that are written so."""
        label_of = dict(self.values)
        lut = tuple(label_of.get(raw, ILLEGAL) for raw in range(256))
        further = [(raw, label) for raw, label in self.values if not 0 <= raw < len(lut)]
        class_colours = {label: raw for raw, label in self.colours if label != VOID}
        void_colours = [raw for raw, label in self.colours if label == VOID]
        return LabelReader(
            len(self.classes),
            lut,
            tuple(unpack(class_colours[label]) for label in sorted(class_colours)),
            tuple(unpack(raw) for raw in void_colours),
            grey_as_numbers=self.grey_as_numbers,
            alpha=self.alpha,
            further=((NODATA, VOID), *further),
            by_palette=self.by_palette,
            instances=self.instances,
            declarable=True,
        )


def _join_instances(stats: MaskStats) -> MaskStats:
    """The statistics with 1 for every object; of values that were not measured, as there are too
    many, each is one.
    """
    height, width = stats.file.size
    below = stats.values <= 0
    counts = int(stats.counts[below].sum())
    objects = [[1], [height * width - counts], [int(stats.solid[~below].sum())]]
    table = np.concatenate([stats.table[:, below], np.array(objects, np.int32)], axis=1)
    drawn = table[:, table[1] > 0]
    return replace(stats, coloured=False, table=drawn, distinct=drawn.shape[1])


def is_damaged(stats: MaskStats, encoding: MaskEncoding) -> bool:
    """Whether a mask's format may have changed an id into another."""
    if encoding.form in ("matte", "drawn"):
        return False
    return stats.lossy and stats.distinct > 1 and encoding.closest <= NOISE


def encoding_of_reader(
    reader: LabelReader, classes: Classes, *, kind: str, evidence: str
) -> MaskEncoding:
    """The encoding of a format whose reader and classes are known."""
    values = [(raw, label) for raw, label in enumerate(reader.lut) if label != ILLEGAL]
    values += [(raw, label) for raw, label in reader.further if raw != NODATA]
    colours = {pack_colour(colour): VOID for colour in reader.void_colours}
    # Classes last: a colour that is both a class's and void's is the class's.
    for label, colour in enumerate(reader.colours):
        colours[pack_colour(colour)] = label
    return MaskEncoding(
        "ids",
        kind,
        evidence,
        classes,
        tuple(sorted(values)),
        tuple(sorted(colours.items())),
        grey_as_numbers=reader.grey_as_numbers or not reader.colours,
        alpha=reader.alpha,
        by_palette=reader.by_palette,
        instances=reader.instances,
    )


def matte_encoding(reader: MatteReader, classes: Classes) -> MaskEncoding:
    """The encoding of alpha mattes."""
    values = tuple((alpha, int(alpha >= reader.threshold)) for alpha in range(256))
    evidence = "0 is background, 255 is person"
    return MaskEncoding(
        "matte",
        "alpha mattes",
        evidence,
        classes,
        values,
    )


def drawn_encoding(
    classes: Classes,
    *,
    kind: str,
    evidence: str,
) -> MaskEncoding:
    """The encoding of labels that are drawn from annotations."""
    ids = [(label, label) for label in range(len(classes))]
    values = (*ids, (VOID, VOID))
    return MaskEncoding(
        "drawn",
        kind,
        evidence,
        classes,
        values,
    )
