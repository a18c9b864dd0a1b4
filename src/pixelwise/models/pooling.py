"""Features pooled to a fixed number of bins, at any size, and brought back to their own size."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.layers import conv_block, resize_like


def pool_to_bins(features: Tensor, bins: int) -> Tensor:
    """(N, C, H, W) averaged to (N, C, bins, bins), for any H, W >= 1.

    What `F.adaptive_avg_pool2d` computes, as products with two matrices of weights: ONNX has no
    adaptive pooling for sizes that are free.
    """
    if bins == 1:
        return F.adaptive_avg_pool2d(features, 1)
    height, width = features.shape[-2:]
    rows = _bin_weights(height, bins, features)  # (bins, H)
    columns = _bin_weights(width, bins, features)  # (bins, W)
    return rows @ features @ columns.T


def _bin_weights(size: int, bins: int, features: Tensor) -> Tensor:
    """(bins, size): the share of each pixel in each bin. Bins overlap where they do not divide the
    size.
    """
    pixels = torch.arange(size, device=features.device)
    numbers = torch.arange(bins, device=features.device)[:, None]
    first = numbers * size // bins
    end = ((numbers + 1) * size + bins - 1) // bins
    inside = (pixels >= first) & (pixels < end)
    counted = inside.to(features.dtype)  # (bins, size)
    return counted / counted.sum(dim=1, keepdim=True)


class BinPool(nn.AdaptiveAvgPool2d):
    """`pool_to_bins` in place of PyTorch's own pooling."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, bins, bins)."""
        bins = _square_bins(self)
        return super().forward(features) if bins is None else pool_to_bins(features, bins)


def pool_by_products(net: nn.Module) -> nn.Module:
    """`net`, each of whose poolings to square bins does as `pool_to_bins`, in place."""
    for layer in net.modules():
        if type(layer) is nn.AdaptiveAvgPool2d and _square_bins(layer) is not None:
            layer.__class__ = BinPool  # in place: a network may hold it in a list of its own too
    return net


def _square_bins(layer: nn.AdaptiveAvgPool2d) -> int | None:
    """The bins a side of a pooling; None where they differ, or follow the input."""
    size = layer.output_size
    if isinstance(size, int):
        return size
    return size[0] if size and size[0] == size[1] else None


class PooledConv(nn.Module):
    """Pooling to bins, a 1x1 convolution with ReLU, and interpolation to the features' own size.

    Batch-normalised but for one bin: there a batch of one image has one value per channel, which
    cannot be normalised.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bins: int = 1,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.bins = bins
        self.align_corners = align_corners
        if bins == 1:
            convolution = nn.Conv2d(inputs, outputs, 1)
            self.conv = nn.Sequential(convolution, nn.ReLU(inplace=True))
        else:
            self.conv = conv_block(inputs, outputs, kernel=1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        pooled = pool_to_bins(features, self.bins)
        summary = self.conv(pooled)  # (N, outputs, bins, bins)
        return resize_like(summary, features, align_corners=self.align_corners)


class PyramidPooling(nn.ModuleList):
    """Features pooled to several numbers of bins. Source: Zhao et al., CVPR 2017, section 3.2."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bins: Sequence[int] = (1, 2, 3, 6),
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        for number in bins:
            layer = PooledConv(inputs, outputs, bins=number, align_corners=align_corners)
            self.append(layer)

    def forward(self, features: Tensor) -> list[Tensor]:
        """(N, inputs, H, W) to maps (N, outputs, H, W), one for each number of bins."""
        return [layer(features) for layer in self]
