"""Fully convolutional networks. Source: Long, Shelhamer, Darrell, CVPR 2015, section 4."""

from functools import partial

from torch import Tensor, nn

from pixelwise.models.layers import class_scores
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.upsampling import bilinear_transposed_conv, build_upsampler, upsample_by


class FCN(nn.Module):
    """FCN-32s, FCN-16s or FCN-8s: 1x1 class scores at the coarse strides, upsampled, added,
    upsampled to the image.

    Scores start with Xavier weights, every upsampling is a transposed convolution that starts as
    bilinear (section 4.1 and figure 3) unless `upsample` says otherwise. `stride` is that of the
    finest scores: 32, 16 (with pool4) or 8 (with pool4 and pool3).
    """

    def __init__(
        self, pyramid: Pyramid, classes: int, *, stride: int, upsample: str = "transposed"
    ) -> None:
        super().__init__()
        strides = [s for s in (32, 16, 8) if s >= stride]
        self.scores = nn.ModuleDict(
            {str(s): class_scores(pyramid.channels[s], classes) for s in strides}
        )

        def upsampler(start: int, end: int) -> nn.Module:
            return build_upsampler(
                upsample,
                (classes, classes),
                strides=(start, end),
                pyramid=pyramid,
                transposed=partial(bilinear_transposed_conv, classes, classes, start // end),
            )

        self.fusions = nn.ModuleList(upsampler(2 * s, s) for s in strides[1:])
        self.upsample = upsampler(stride, 1)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H, W) at stride 1."""
        scores = [score(features[int(stride)]) for stride, score in self.scores.items()]
        fused = scores[0]  # (N, C, H / 32, W / 32)
        for upsample, skip in zip(self.fusions, scores[1:], strict=True):
            fused = upsample_by(upsample, fused, features) + skip
        return upsample_by(self.upsample, fused, features)
