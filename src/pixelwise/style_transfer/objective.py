"""The loss of a picture and its gradient, as a whole or in tiles with the same result."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from pixelwise.style_transfer.config import Weights
from pixelwise.style_transfer.features import StyleNetwork
from pixelwise.style_transfer.losses import content_loss, gram, style_loss, total_variation

ALIGN = 16
"""Coarsest stride of a VGG up to its last style layer: tiles begin at multiples of it."""


@dataclass(frozen=True)
class Losses:
    """The weighted parts of the loss."""

    content: float
    style: float
    smooth: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.content + self.style + self.smooth


@dataclass(frozen=True)
class _Tile:
    """A part of the picture, and the part of it with its surroundings that the network is shown, as
    slices.
    """

    rows: slice
    columns: slice
    seen_rows: slice
    seen_columns: slice

    def of(self, image: Tensor) -> Tensor:
        """What the network is shown."""
        return image[..., self.seen_rows, self.seen_columns]

    def inner(self, features: Tensor, stride: int) -> Tensor:
        """The part of the features that stands for the tile itself."""
        top = (self.rows.start - self.seen_rows.start) // stride
        left = (self.columns.start - self.seen_columns.start) // stride
        height, width = features.shape[-2:]
        bottom = (
            height
            if self.rows.stop == self.seen_rows.stop
            else (self.rows.stop - self.seen_rows.start) // stride
        )
        right = (
            width
            if self.columns.stop == self.seen_columns.stop
            else (self.columns.stop - self.seen_columns.start) // stride
        )
        return features[..., top:bottom, left:right]


class Objective:
    """Weighted loss of a normalised picture (1, 3, H, W) against a content picture and styles of
    given weights.

    With `tile` pixels a side the network only ever sees tiles with their surroundings: Gram
    matrices are summed over the tiles, and the gradient of each tile follows from the whole's
    matrices. Loss and gradient are those of the whole picture, for one more pass forward; memory no
    longer grows with the picture, but for the content's features.
    """

    def __init__(
        self,
        network: StyleNetwork,
        content: Tensor,
        styles: Sequence[tuple[Tensor, float]],
        *,
        weights: Weights,
        tile: int | None = None,
        bfloat16: bool = False,
    ) -> None:
        self.network = network
        self.weights = weights
        self.bfloat16 = bfloat16
        self.tiles = list(_tiles(content.shape[-2], content.shape[-1], tile, network.halo or 0))
        shares = sum(share for _, share in styles)
        with torch.no_grad():
            self.wanted = [self._parts(part, content)[0] for part in self.tiles]
            self.grams = [torch.zeros(())] * len(network.strides[1])
            for style, share in styles:
                parts = _tiles(style.shape[-2], style.shape[-1], tile, network.halo or 0)
                mine = [
                    total / count * (share / shares) for total, count in self._sums(style, parts)
                ]
                self.grams = [total + each for total, each in zip(self.grams, mine, strict=True)]
        maps = range(len(self.wanted[0]))
        self.sizes = [sum(part[n].numel() for part in self.wanted) for n in maps]
        squares = [sum(float(part[n].float().square().sum()) for part in self.wanted) for n in maps]
        self.content_scale = [
            s / n if weights.relative else 1.0 for s, n in zip(squares, self.sizes, strict=True)
        ]
        self.style_scale = [
            float(g.square().mean()) if weights.relative else 1.0 for g in self.grams
        ]

    def backward(self, image: Tensor) -> Losses:
        """The losses of `image`, a leaf, whose gradient is filled anew."""
        image.grad = None
        smooth = self.weights.smooth * total_variation(image)
        smooth.backward()  # type: ignore[no-untyped-call]
        if len(self.tiles) == 1:
            content, style = self._whole(image)
        else:
            content, style = self._tiled(image)
        return Losses(content, style, float(smooth.detach()))

    def _whole(self, image: Tensor) -> tuple[float, float]:
        found, maps = self._parts(self.tiles[0], image)
        content = self._content(found, 0)
        style = self._style([gram(each) for each in maps])
        (content + style).backward()  # type: ignore[no-untyped-call]
        return float(content.detach()), float(style.detach())

    def _tiled(self, image: Tensor) -> tuple[float, float]:
        """First the Gram matrices of the whole, then, tile by tile, the gradient that they ask
        for.
        """
        with torch.no_grad():
            sums = self._sums(image, self.tiles)
        counts = [count for _, count in sums]
        whole = [(total / count).requires_grad_() for total, count in sums]
        style = self._style(whole)
        slopes = torch.autograd.grad(style, whole)
        content = 0.0
        for n, part in enumerate(self.tiles):
            found, maps = self._parts(part, image)
            mine = self._content(found, n)
            pulls = [
                (slope * gram(each)).sum() * (each.numel() / count)
                for slope, each, count in zip(slopes, maps, counts, strict=True)
            ]
            (mine + torch.stack(pulls).sum()).backward()  # type: ignore[no-untyped-call]
            content += float(mine.detach())
        return content, float(style.detach())

    def _sums(self, image: Tensor, tiles: Iterable[_Tile]) -> list[tuple[Tensor, int]]:
        """For each layer the sum of its Gram matrices over the tiles, each times its entries, and
        their number.
        """
        found = [(torch.zeros(()), 0)] * len(self.network.strides[1])
        for part in tiles:
            maps = self._parts(part, image)[1]
            found = [
                (s + gram(m) * m.numel(), n + m.numel())
                for (s, n), m in zip(found, maps, strict=True)
            ]
        return found

    def _content(self, found: list[Tensor], tile: int) -> Tensor:
        """The tile's part of the content loss."""
        losses = [
            content_loss(each.float(), wanted.float()) * (each.numel() / size / scale)
            for each, wanted, size, scale in zip(
                found, self.wanted[tile], self.sizes, self.content_scale, strict=True
            )
        ]
        return self.weights.content * torch.stack(losses).sum()

    def _style(self, grams: list[Tensor]) -> Tensor:
        losses = [
            style_loss(found, wanted) / scale
            for found, wanted, scale in zip(grams, self.grams, self.style_scale, strict=True)
        ]
        return self.weights.style * torch.stack(losses).sum()

    def _parts(self, part: _Tile, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Content and style maps of a tile, without its surroundings."""
        kinds = self._features(part.of(image))
        content, style = (
            [part.inner(each, stride) for each, stride in zip(maps, strides, strict=True)]
            for maps, strides in zip(kinds, self.network.strides, strict=True)
        )
        return content, style

    def _features(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.bfloat16):
            found: tuple[list[Tensor], list[Tensor]] = self.network(
                image.contiguous(memory_format=torch.channels_last)
            )
        return found


def _tiles(height: int, width: int, tile: int | None, halo: int) -> Iterator[_Tile]:
    for rows, seen_rows in _spans(height, tile, halo):
        for columns, seen_columns in _spans(width, tile, halo):
            yield _Tile(rows, columns, seen_rows, seen_columns)


def _spans(length: int, tile: int | None, halo: int) -> Iterator[tuple[slice, slice]]:
    """Parts of `length`, each with `halo` more on both sides as far as there is some."""
    step = length if tile is None else tile
    starts = [start for start in range(0, length, step) if start == 0 or length - start >= ALIGN]
    for start, stop in pairwise(
        [*starts, length]
    ):  # a rest too thin to have features of its own is no tile
        yield slice(start, stop), slice(max(0, start - halo), min(length, stop + halo))
