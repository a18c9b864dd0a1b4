"""UPerNet. Source: Xiao, Liu, Zhou, Jiang, Sun, ECCV 2018, "Unified perceptual parsing for scene
understanding", section 3.1 and figure 4, the head for objects.
"""

import torch
from torch import Tensor, nn

from pixelwise.models.layers import class_scores, conv_block, resize_like
from pixelwise.models.pooling import PyramidPooling
from pixelwise.models.pyramid import Features, Pyramid

STRIDES = (32, 16, 8, 4)

CHANNELS = 256

BINS = (1, 2, 3, 6)


class UPerNet(nn.Module):
    """PSPNet's pooling of the coarsest features, a feature pyramid on it down to stride 4, all its
    maps side by side at stride 4, and a convolution 3x3.

    The features pooled to one value are not normalised. The layer normalisation that
    segmentation_models.pytorch puts before the decoder is left out.
    """

    def __init__(self, pyramid: Pyramid, classes: int) -> None:
        super().__init__()
        inputs = pyramid.channels[32]
        self.pooling = PyramidPooling(inputs, CHANNELS, bins=BINS)
        self.context = conv_block(inputs + len(BINS) * CHANNELS, CHANNELS)
        self.laterals = nn.ModuleList()
        self.smooths = nn.ModuleList()
        for stride in STRIDES[1:]:
            lateral = conv_block(pyramid.channels[stride], CHANNELS, kernel=1)
            self.laterals.append(lateral)
            self.smooths.append(conv_block(CHANNELS, CHANNELS))
        self.fuse = conv_block(len(STRIDES) * CHANNELS, CHANNELS)
        self.scores = class_scores(CHANNELS, classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / 4, W / 4)."""
        coarsest = features[32]
        joined = torch.cat([coarsest, *self.pooling(coarsest)], dim=1)
        summed = self.context(joined)  # (N, 256, H / 32, W / 32)
        maps = [summed]  # coarse to fine
        for stride, lateral, smooth in zip(STRIDES[1:], self.laterals, self.smooths, strict=True):
            skip = lateral(features[stride])  # (N, 256, H / stride, W / stride)
            summed = resize_like(summed, skip) + skip
            maps.append(smooth(summed))
        enlarged = [resize_like(feature, maps[-1]) for feature in maps]
        fused = self.fuse(torch.cat(enlarged[::-1], dim=1))
        logits: Tensor = self.scores(fused)
        return logits
