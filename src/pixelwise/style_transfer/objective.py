"""The loss of an image and its gradient, as a whole or in tiles with the same result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.style_transfer.config import Weights
from pixelwise.style_transfer.features import StyleNetwork
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
        styles: Sequence[tuple[Tensor, float]],
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
            self.content_maps = [self._tile_maps(part, content)[0] for part in self.tiles]
            self.style_grams = self._mean_grams(styles, tile)
        layers = range(len(self.content_maps[0]))
        self.sizes = [sum(maps[n].numel() for maps in self.content_maps) for n in layers]
        self.content_scale = [1.0] * len(layers)
        self.style_scale = [1.0] * len(self.style_grams)
        if weights.relative:
            squares = [
                sum(float(maps[n].float().square().sum()) for maps in self.content_maps)
                for n in layers
            ]
            self.content_scale = [
                square / size for square, size in zip(squares, self.sizes, strict=True)
            ]
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

    def _backward_whole(self, image: Tensor) -> tuple[float, float]:
        content_maps, style_maps = self._tile_maps(self.tiles[0], image)
        content = self._content_loss(content_maps, 0)
        style = self._style_loss([gram(maps) for maps in style_maps])
        (content + style).backward()  # type: ignore[no-untyped-call]
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
            pulls = [
                (slope * gram(maps)).sum() * (maps.numel() / count)
                for slope, maps, count in zip(slopes, style_maps, counts, strict=True)
            ]
            (tile_content + torch.stack(pulls).sum()).backward()  # type: ignore[no-untyped-call]
            content += float(tile_content.detach())
        return content, float(style.detach())

    def _split(self, image: Tensor, tile: int | None) -> list[Tile]:
        height, width = image.shape[-2:]
        return list(split_into_tiles(height, width, tile, self.network.halo or 0))

    def _mean_grams(self, styles: Sequence[tuple[Tensor, float]], tile: int | None) -> list[Tensor]:
        """The weighted mean of the styles' Gram matrices, by layer."""
        total_share = sum(share for _, share in styles)
        grams = [torch.zeros(())] * len(self.network.strides[1])
        for style, share in styles:
            sums = self._gram_sums(style, self._split(style, tile))
            weighted = [total / count * (share / total_share) for total, count in sums]
            grams = [total + matrix for total, matrix in zip(grams, weighted, strict=True)]
        return grams

    def _gram_sums(self, image: Tensor, tiles: Iterable[Tile]) -> list[tuple[Tensor, int]]:
        """For each layer the sum of its Gram matrices over the tiles, each times its entries, and
        their number.
        """
        sums = [(torch.zeros(()), 0)] * len(self.network.strides[1])
        for part in tiles:
            style_maps = self._tile_maps(part, image)[1]
            sums = [
                (total + gram(maps) * maps.numel(), count + maps.numel())
                for (total, count), maps in zip(sums, style_maps, strict=True)
            ]
        return sums

    def _content_loss(self, maps: list[Tensor], tile: int) -> Tensor:
        """The tile's part of the content loss."""
        rows = zip(maps, self.content_maps[tile], self.sizes, self.content_scale, strict=True)
        losses = [
            content_loss(features.float(), target.float()) * (features.numel() / size / scale)
            for features, target, size, scale in rows
        ]
        return self.weights.content * torch.stack(losses).sum()

    def _style_loss(self, grams: list[Tensor]) -> Tensor:
        rows = zip(grams, self.style_grams, self.style_scale, strict=True)
        losses = [style_loss(matrix, target) / scale for matrix, target, scale in rows]
        return self.weights.style * torch.stack(losses).sum()

    def _tile_maps(self, part: Tile, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Content and style maps of a tile, without its surroundings."""
        shown = part.crop(image).contiguous(memory_format=torch.channels_last)
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.bfloat16):
            content_maps, style_maps = self.network(shown)
        content_strides, style_strides = self.network.strides
        return (
            _trim_all(part, content_maps, content_strides),
            _trim_all(part, style_maps, style_strides),
        )


def _trim_all(part: Tile, maps: list[Tensor], strides: tuple[int, ...]) -> list[Tensor]:
    return [part.trim(features, stride) for features, stride in zip(maps, strides, strict=True)]
