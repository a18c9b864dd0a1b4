"""Several models as one predictor: the mean of their scores."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from scipy.special import expit, logit

from pixelwise.classes import Classes, softmax
from pixelwise.errors import ModelError
from pixelwise.inference.align_channels import align_channels
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tiling import Piece, Pixels, RowChunk, TilePlan
from pixelwise.inference.tta import Logits, Runner
from pixelwise.inference.view_size import Size
from pixelwise.io.images import Array, Picture
from pixelwise.io.reading_notes import ReadingNotes

# Below any score that counts; the logarithm of 0 would be no number.
_LEAST = np.finfo(np.float32).tiny


class Ensemble(Predictor):
    """The mean of the softmax of several models, whose classes have the same names in any order.

    Each model sees a picture as it does alone: at its own size, in its own tiles, mirrored and
    resized for test-time augmentation, its logits divided by its own temperature. What comes out as
    logits are logarithms of the mean scores. Classes have the order and colours of the first
    model's; bands are read by its windows. Raises ModelError for other classes or bands.
    """

    def __init__(self, members: Sequence[Predictor], **options: Any) -> None:
        members = align_channels(members)
        first = members[0]
        # tiles that are made lower where memory is short, if any of the models can take such
        flexible = next((member for member in members if not member.exact), first)
        super().__init__(
            first.runner,
            first.classes,
            tile=flexible.tile,
            overlap=flexible.overlap,
            weights=flexible.weights,
            max_memory=flexible.max_memory,
            **options,
        )
        self.members = tuple(members)
        self._orders = [_class_order(first, member) for member in members]
        self.name = " + ".join(member.name for member in members)
        self.exact = flexible.exact
        self.reading = _shared_reading(members)
        self.sizes = first.sizes

    @property
    def runners(self) -> tuple[Runner, ...]:
        """All that compute for it."""
        return tuple(runner for member in self.members for runner in member.runners)

    def wrap_runners(self, wrap: Callable[[Runner], Runner]) -> Self:
        """The same models, whose runners are what `wrap` makes of them."""
        return self._with_members(member.wrap_runners(wrap) for member in self.members)

    def always(
        self,
        *,
        tta: bool = False,
        scales: Sequence[float] = (),
        largest: Sequence[str] = (),
    ) -> Self:
        """As `Predictor.always`."""
        ensemble = super().always(largest=largest)
        return ensemble._with_members(
            member.always(tta=tta, scales=scales) for member in self.members
        )

    def size_notes(
        self, size: Size, picture: Picture | None = None, *, is_raster: bool = False
    ) -> ReadingNotes:
        """What each model says of a picture's size, once."""
        notes = [
            note
            for member in self.members
            for note in member.size_notes(size, picture, is_raster=is_raster)
        ]
        return tuple(dict.fromkeys(notes))

    def count_tiles(self, size: Size, picture: Picture | None = None) -> int:
        """How often runners are called for a picture of `size`."""
        return sum(member.count_tiles(size, picture) for member in self.members)

    def pieces(
        self,
        rgb: Array,
        picture: Picture | None = None,
        *,
        tta: bool = False,
        scales: Sequence[float] = (),
    ) -> Iterator[Piece]:
        """Pieces of logarithms of the mean scores, as `stream` yields them."""
        height, width = rgb.shape[:2]
        size = (height, width)
        views = [size if scales else member.view_size(size, picture) for member in self.members]
        plans = [member.plan(*view) for member, view in zip(self.members, views, strict=True)]
        streams = [member.pieces(rgb, picture, tta=tta, scales=scales) for member in self.members]
        # of one plan the views are one too, and so are the pieces after resizing
        return self._average(streams, width, is_aligned=_are_equal(plans))

    def window_pieces(
        self,
        pixels: Pixels,
        plan: TilePlan,
        chunk: RowChunk | None = None,
        *,
        tta: bool = False,
        scales: Sequence[float] = (),
    ) -> Iterator[Piece]:
        """As `Predictor.window_pieces`; networks of a fixed size keep their own tiles."""
        plans = [_own_plan(member, plan) for member in self.members]
        streams = [
            member.window_pieces(pixels, own, chunk, tta=tta, scales=scales)
            for member, own in zip(self.members, plans, strict=True)
        ]
        return self._average(streams, plan.width, is_aligned=_are_equal(plans))

    def _average(
        self, streams: Sequence[Iterator[Piece]], width: int, *, is_aligned: bool
    ) -> Iterator[Piece]:
        """The streams as one; all of one picture, `width` pixels wide."""
        together: Iterable[tuple[Piece, ...]]
        together = zip(*streams, strict=True) if is_aligned else _join_rows(streams, width)
        for pieces in together:
            top, left, _ = pieces[0]
            yield top, left, self._mean_scores([logits for _, _, logits in pieces])

    def _mean_scores(self, pieces: Sequence[Logits]) -> Logits:
        """Logarithms (C, h, w) of the mean softmax of each model's logits (C, h, w)."""
        classes = len(self.classes)
        total = np.zeros((classes, *pieces[0].shape[1:]), np.float32)
        for member, order, logits in zip(self.members, self._orders, pieces, strict=True):
            if len(logits) == 1 < classes:  # before the first tile that is somewhere valid
                total += np.float32(1 / classes)
                continue
            member.check_channels(logits)
            scores = self._to_scores(logits)
            for label, channel in enumerate(order):
                total[label] += scores[channel]
        total /= len(pieces)
        return self._to_logits(total)

    def _to_scores(self, logits: Logits) -> Logits:
        return softmax(logits)

    def _to_logits(self, scores: Logits) -> Logits:
        np.maximum(scores, _LEAST, out=scores)
        return np.log(scores, out=scores)

    def _with_members(self, members: Iterable[Predictor]) -> Self:
        ensemble = copy(self)
        ensemble.members = tuple(members)
        return ensemble


class LayerEnsemble(Ensemble, LayerPredictor):
    """The mean of the sigmoids of several models of overlapping classes; the threshold of a class
    is the mean of theirs.
    """

    def __init__(self, members: Sequence[Predictor], **options: Any) -> None:
        super().__init__(members, thresholds=(), **options)
        self.thresholds = average_thresholds(members, self.classes)

    def _to_scores(self, logits: Logits) -> Logits:
        scores: Logits = expit(logits)
        return scores

    def _to_logits(self, scores: Logits) -> Logits:
        # a score of 1 has no logit
        np.clip(scores, _LEAST, 1 - np.finfo(np.float32).epsneg, out=scores)
        logits: Logits = logit(scores, out=scores)
        return logits


def average_thresholds(members: Iterable[Predictor], classes: Classes) -> tuple[float, ...]:
    """The mean threshold of each of `classes` in the models, which are of overlapping classes."""
    rows = [
        [member.thresholds[member.classes.names.index(name)] for name in classes.names]
        for member in members
        if isinstance(member, LayerPredictor)
    ]
    return tuple(np.mean(rows, axis=0).tolist())


def join_models(predictors: Sequence[Predictor]) -> Predictor:
    """The only one, or the ensemble of several; each of them counts alike, however nested. Raises
    ModelError for some whose classes overlap among others of one class a pixel.
    """
    members = list[Predictor]()
    for predictor in predictors:
        members += predictor.members if isinstance(predictor, Ensemble) else (predictor,)
    if len(members) == 1:
        return members[0]
    of_layers = next((member for member in members if isinstance(member, LayerPredictor)), None)
    if of_layers is None:
        return Ensemble(members)
    for member in members:
        if not isinstance(member, LayerPredictor):
            raise ModelError(
                f"only models of one kind can be averaged: the classes of {of_layers.name} "
                f"overlap, and {member.name} has one class a pixel; leave one of them out"
            )
    return LayerEnsemble(members)


def _class_order(first: Predictor, member: Predictor) -> list[int]:
    """The member's channel of each class of the first model. Raises ModelError."""
    own = member.classes.names
    if set(own) != set(first.classes.names):
        raise ModelError(
            f"only models of the same classes can be averaged: {first.name} has "
            f"{_list_names(first.classes)}, {member.name} has {_list_names(member.classes)}"
        )
    return [own.index(name) for name in first.classes.names]


def _list_names(classes: Classes) -> str:
    return f"{len(classes)} ({', '.join(classes.names)})"


def _shared_reading(members: Sequence[Predictor]) -> dict[str, Any]:
    """What all trainings have in common in how they read their data; of the bit depths the
    greatest, as a picture is read once for all.
    """
    first, *others = (member.reading for member in members)
    shared = {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }
    return {**shared, "common_bits": max(member.rule.common_bits for member in members)}


def _own_plan(member: Predictor, plan: TilePlan) -> TilePlan:
    """The plan with the tiles that the member can take."""
    return member.plan(plan.height, plan.width) if member.exact else plan


def _are_equal(plans: Sequence[TilePlan]) -> bool:
    return all(plan == plans[0] for plan in plans)


def _join_rows(streams: Sequence[Iterator[Piece]], width: int) -> Iterator[tuple[Piece, ...]]:
    """Pieces of all streams that cover the same rows at full width, whatever the streams' tiles.

    Of each stream a row of tiles is held.
    """
    rows = [_full_rows(stream, width) for stream in streams]
    held: list[Logits | None] = [None] * len(rows)
    top = 0
    while True:
        bands = [
            next(source, None) if band is None else band
            for source, band in zip(rows, held, strict=True)
        ]
        known = [band for band in bands if band is not None]
        if not known:
            return
        height = min(band.shape[1] for band in known)
        yield tuple((top, 0, band[:, :height]) for band in known)
        held = [band[:, height:] if band.shape[1] > height else None for band in known]
        top += height


def _full_rows(pieces: Iterable[Piece], width: int) -> Iterator[Logits]:
    """Rows of pieces as wide as the picture."""
    parts = list[Logits]()
    for _, left, logits in pieces:
        parts.append(logits)
        if left + logits.shape[2] == width:
            channels = max(map(len, parts))
            yield np.concatenate([_with_channels(part, channels) for part in parts], axis=2)
            parts.clear()


def _with_channels(logits: Logits, channels: int) -> Logits:
    """Logits of a tile that is nowhere valid, which has one channel, as the others beside it."""
    return logits if len(logits) == channels else np.repeat(logits, channels, 0)
