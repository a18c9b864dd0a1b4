"""The loss of an image and its gradient, as a whole or in tiles with the same result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.style_transfer.config import Weights
from pixelwise.style_transfer.features import StyleNetwork
from pixelwise.style_transfer.levels import WeightedStyle
from pixelwise.style_transfer.losses import content_loss, gram, style_loss, total_variation
from pixelwise.style_transfer.tiles import Tile, split_into_tiles


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


class Objective:
    """Weighted loss of a normalised image (1, 3, H, W) against a content image and styles of given
    weights.

    With `tile` pixels a side the network only ever sees tiles with their surroundings: Gram
    matrices are summed over the tiles, and the gradient of each tile follows from the whole's
    matrices. Loss and gradient are those of the whole image, for one more pass forward; memory no
    longer grows with the image, but for the content's features.
    """

    def __init__(
        self,
        network: StyleNetwork,
        content: Tensor,
        styles: Sequence[WeightedStyle],
        *,
        weights: Weights,
        tile: int | None = None,
        bfloat16: bool = False,
    ) -> None:
        self.network = network
        self.weights = weights
        self.bfloat16 = bfloat16
        self.tiles = self._split(content, tile)
        with torch.no_grad():
            # by tile, then by layer
            self.content_maps = []
            for part in self.tiles:
                content_maps, _ = self._tile_maps(part, content)
                self.content_maps.append(content_maps)
            self.style_grams = self._mean_grams(styles, tile)
        layers = len(self.content_maps[0])
        # entries of each content layer, over all tiles
        self.sizes = [sum(maps[n].numel() for maps in self.content_maps) for n in range(layers)]
        self.content_scale = [1.0] * layers
        self.style_scale = [1.0] * len(self.style_grams)
        if weights.relative:
            self.content_scale = [self._mean_square(layer) for layer in range(layers)]
            self.style_scale = [float(matrix.square().mean()) for matrix in self.style_grams]

    def backward(self, image: Tensor) -> Losses:
        """The losses of `image`, a leaf, whose gradient is replaced."""
        image.grad = None
        smooth = self.weights.smooth * total_variation(image)
        smooth.backward()  # type: ignore[no-untyped-call]
        if len(self.tiles) == 1:
            content, style = self._backward_whole(image)
        else:
            content, style = self._backward_tiled(image)
        return Losses(content, style, float(smooth.detach()))

    def _mean_square(self, layer: int) -> float:
        """Of the content's features in a layer."""
        total = 0.0
        for maps in self.content_maps:
            # bfloat16 would lose the sum of so many entries
            total += float(maps[layer].float().square().sum())
        return total / self.sizes[layer]

    def _backward_whole(self, image: Tensor) -> tuple[float, float]:
        content_maps, style_maps = self._tile_maps(self.tiles[0], image)
        content = self._content_loss(content_maps, 0)
        grams = [gram(maps) for maps in style_maps]
        style = self._style_loss(grams)
        total = content + style
        total.backward()  # type: ignore[no-untyped-call]
        return float(content.detach()), float(style.detach())

    def _backward_tiled(self, image: Tensor) -> tuple[float, float]:
        """First the Gram matrices of the whole, then, tile by tile, the gradient that they ask
        for.
        """
        with torch.no_grad():
            sums = self._gram_sums(image, self.tiles)
        counts = [count for _, count in sums]
        grams = [(total / count).requires_grad_() for total, count in sums]
        style = self._style_loss(grams)
        slopes = torch.autograd.grad(style, grams)
        content = 0.0
        for number, part in enumerate(self.tiles):
            content_maps, style_maps = self._tile_maps(part, image)
            tile_content = self._content_loss(content_maps, number)
            # the loss is linear in a tile's matrices where the whole's are near: the chain rule
            pulls = []
            for slope, maps, count in zip(slopes, style_maps, counts, strict=True):
                share = maps.numel() / count
                pulls.append((slope * gram(maps)).sum() * share)
            total = tile_content + torch.stack(pulls).sum()
            # tile by tile, so that one tile's graph is in memory at a time
            total.backward()  # type: ignore[no-untyped-call]
            content += float(tile_content.detach())
        return content, float(style.detach())

    def _split(self, image: Tensor, tile: int | None) -> list[Tile]:
        height, width = image.shape[-2:]
        halo = self.network.halo or 0
        return list(split_into_tiles(height, width, tile, halo))

    def _mean_grams(self, styles: Sequence[WeightedStyle], tile: int | None) -> list[Tensor]:
        """The weighted mean of the styles' Gram matrices, by layer."""
        total_share = sum(share for _, share in styles)
        grams = [torch.zeros(())] * len(self.network.strides[1])
        for style, share in styles:
            fraction = share / total_share
            tiles = self._split(style, tile)
            sums = self._gram_sums(style, tiles)
            for layer, (total, count) in enumerate(sums):
                mean = total / count  # (C, C)
                grams[layer] = grams[layer] + mean * fraction
        return grams

    def _gram_sums(self, image: Tensor, tiles: Iterable[Tile]) -> list[tuple[Tensor, int]]:
        """For each layer the sum of its Gram matrices over the tiles, each times its entries, and
        their number.
        """
        sums = [(torch.zeros(()), 0)] * len(self.network.strides[1])
        for part in tiles:
            _, style_maps = self._tile_maps(part, image)
            for layer, maps in enumerate(style_maps):
                total, count = sums[layer]
                entries = maps.numel()
                # a Gram matrix is a mean over the entries: back to a sum, which adds up
                total = total + gram(maps) * entries
                sums[layer] = (total, count + entries)
        return sums

    def _content_loss(self, maps: list[Tensor], tile: int) -> Tensor:
        """The tile's part of the content loss."""
        rows = zip(
            maps,
            self.content_maps[tile],
            self.sizes,
            self.content_scale,
            strict=True,
        )
        losses = []
        for features, target, size, scale in rows:
            # the share of the tile in the mean over the whole image
            share = features.numel() / size / scale
            loss = content_loss(features.float(), target.float())
            losses.append(loss * share)
        return self.weights.content * torch.stack(losses).sum()

    def _style_loss(self, grams: list[Tensor]) -> Tensor:
        rows = zip(grams, self.style_grams, self.style_scale, strict=True)
        losses = []
        for matrix, target, scale in rows:
            losses.append(style_loss(matrix, target) / scale)
        return self.weights.style * torch.stack(losses).sum()

    def _tile_maps(self, part: Tile, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Content and style maps of a tile, without its surroundings."""
        shown = part.crop(image)
        # the layout of the network's weights
        shown = shown.contiguous(memory_format=torch.channels_last)
        device = image.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.bfloat16):
            content_maps, style_maps = self.network(shown)
        content_strides, style_strides = self.network.strides
        return (
            _trim_all(part, content_maps, content_strides),
            _trim_all(part, style_maps, style_strides),
        )


def _trim_all(part: Tile, maps: list[Tensor], strides: tuple[int, ...]) -> list[Tensor]:
    trimmed = []
    for features, stride in zip(maps, strides, strict=True):
        trimmed.append(part.trim(features, stride))
    return trimmed
