"""Dense prediction transformer's decoder. Source: Ranftl, Bochkovskiy, Koltun, ICCV 2021, section 3
and figure 1.
"""

from torch import Tensor, nn

from pixelwise.models.layers import class_scores, conv_block
from pixelwise.models.pyramid import Features, Pyramid

STRIDES = (32, 16, 8, 4)

CHANNELS = 256


class DPT(nn.Module):
    """Each stride's features projected by a convolution 3x3, fused from coarse to fine by residual
    convolutions and bilinear steps of 2, and a head at stride 2.

    In the paper the decoder reassembles the tokens of four of a plain transformer's layers to maps
    of strides 4 to 32 before that. Here the encoder hands over such maps, so neither the readout
    token nor the layers that resample are the decoder's, and any encoder with these strides
    will do. Interpolation has aligned corners, as the authors' code has; its dropout is left out.
    """

    def __init__(self, pyramid: Pyramid, classes: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList()
        self.fusions = nn.ModuleList()
        for stride in STRIDES:
            projection = nn.Conv2d(pyramid.channels[stride], CHANNELS, 3, padding=1, bias=False)
            self.projections.append(projection)
            self.fusions.append(_Fusion())
        self.head = nn.Sequential(
            conv_block(CHANNELS, CHANNELS),
            class_scores(CHANNELS, classes),
        )

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / 2, W / 2)."""
        fused: Tensor | None = None
        for stride, projection, fusion in zip(STRIDES, self.projections, self.fusions, strict=True):
            projected = projection(features[stride])  # (N, 256, H / stride, W / stride)
            fused = fusion(projected, fused)
        logits: Tensor = self.head(fused)
        return logits


class _Fusion(nn.Module):
    """The features of one stride, added to what comes from the coarser ones, enlarged by 2."""

    def __init__(self) -> None:
        super().__init__()
        self.skip_unit = _build_residual()
        self.unit = _build_residual()
        self.project = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)

    def forward(self, features: Tensor, coarser: Tensor | None) -> Tensor:
        """Two maps (N, 256, h, w), the second None at the coarsest stride, to (N, 256, 2 h,
        2 w).
        """
        fused = features + self.skip_unit(features)
        if coarser is not None:
            fused = fused + coarser
        fused = fused + self.unit(fused)
        # projected first, on a quarter of the pixels: a 1x1 convolution commutes with interpolation
        enlarged: Tensor = self.enlarge(self.project(fused))
        return enlarged


def _build_residual() -> nn.Sequential:
    """What a residual convolution unit adds to its input."""
    return nn.Sequential(
        # not in place: the input is added afterwards
        nn.ReLU(),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(inplace=True),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False),
        nn.BatchNorm2d(CHANNELS),
    )
