"""U-Net++. Source: Zhou, Siddiquee, Tajbakhsh, Liang, DLMIA 2018, section 3 and figure 1."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.layers import class_scores, conv_block
from pixelwise.models.pyramid import Features, Pyramid


class UNetPlusPlus(nn.Module):
    """U-Net with nested skip connections: at each stride a row of nodes, each two convolutions 3x3
    of all nodes before it in the row and of the enlarged node of the next coarser row.

    A node has as many channels as the encoder at its stride. It goes up to the encoder's finest
    stride. Enlarged to the nearest pixel, as in the authors' code; without deep supervision (its
    section 3.2), as in segmentation_models.pytorch, which adds two convolutions at the image's own
    size.
    """

    def __init__(self, pyramid: Pyramid, classes: int) -> None:
        super().__init__()
        widths = pyramid.channels
        self.steps = list(pairwise(widths))[::-1]  # (stride, the next coarser), coarse to fine
        self.nodes = nn.ModuleDict()
        # a column is one node shorter than the one before it: nothing coarser is left
        for column in range(1, len(widths)):
            for stride, coarser in self.steps[column - 1 :]:
                inputs = column * widths[stride] + widths[coarser]
                self.nodes[_node_name(stride, column)] = _build_node(inputs, widths[stride])
        finest = min(widths)
        self.scores = class_scores(widths[finest], classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the encoder's finest stride s."""
        rows = {stride: [feature] for stride, feature in features.items()}
        for column in range(1, len(rows)):
            for stride, coarser in self.steps[column - 1 :]:
                below = rows[coarser][column - 1]
                enlarged = F.interpolate(below, scale_factor=2.0, mode="nearest")
                joined = torch.cat([enlarged, *rows[stride][::-1]], dim=1)
                # (N, width, H / stride, W / stride)
                node = self.nodes[_node_name(stride, column)](joined)
                rows[stride].append(node)
        last = rows[min(rows)][-1]
        logits: Tensor = self.scores(last)
        return logits


def _node_name(stride: int, column: int) -> str:
    return f"{stride}_{column}"


def _build_node(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv_block(inputs, outputs), conv_block(outputs, outputs))
