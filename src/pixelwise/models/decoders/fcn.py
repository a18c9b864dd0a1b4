"""Fully convolutional networks. Source: Long, Shelhamer, Darrell, CVPR 2015, section 4."""

from torch import Tensor, nn

from pixelwise.models.layers import class_scores, upsampling


class FCN(nn.Module):
    """FCN-32s, FCN-16s or FCN-8s: 1x1 class scores at the coarse strides, upsampled, added, upsampled to the image.

    Scores start with Xavier weights, every upsampling is a transposed convolution that starts as bilinear (section 4.1
    and figure 3). `stride` is that of the finest scores: 32, 16 (with pool4) or 8 (with pool4 and pool3).
    """

    def __init__(self, channels: dict[int, int], classes: int, *, stride: int) -> None:
        super().__init__()
        strides = [s for s in (32, 16, 8) if s >= stride]
        self.scores = nn.ModuleDict({str(s): class_scores(channels[s], classes) for s in strides})
        self.fusions = nn.ModuleList(upsampling(classes, classes, 2) for _ in strides[1:])
        self.upsample = upsampling(classes, classes, stride)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to logits (N, C, H, W) at stride 1."""
        scores = [score(features[int(stride)]) for stride, score in self.scores.items()]
        fused = scores[0]
        for upsample, skip in zip(self.fusions, scores[1:], strict=True):
            fused = upsample(fused) + skip
        logits: Tensor = self.upsample(fused)
        return logits
