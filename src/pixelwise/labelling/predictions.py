"""What a model says of a photo: labels and confidence of any window at any level of its pyramid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from pixelwise.classes import Labels, quantize_confidence, read_labels
from pixelwise.labelling.head import Head
from pixelwise.labelling.photo_features import PhotoFeatures
from pixelwise.labelling.rasterise import Box

# Pixels of which logits are held at once.
_STRIP = 2**19


@dataclass(frozen=True, eq=False)
class Predicted:
    """Class keys (h, w) and confidence (h, w), 255 being sure, both uint8."""

    labels: Labels
    confidence: NDArray[np.uint8]


class Prediction(Protocol):
    """What a model says of one photo; `level` is the one at which it looks at it."""

    level: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) at that level."""

    def window(self, box: Box, step: int = 1) -> Predicted:
        """Every `step`-th pixel of a window at that level."""


def predict_window(prediction: Prediction, level: int, box: Box) -> Predicted:
    """A window at any level: pixels are left out where the level is coarser than the model's, and
    repeated where it is finer.
    """
    shift = level - prediction.level
    height, width = prediction.size
    if shift >= 0:
        step = 2**shift
        top = box.top * step
        left = box.left * step
        rows = min(box.height * step, height - top)
        columns = min(box.width * step, width - left)
        predicted = prediction.window(Box(top, left, rows, columns), step)
        return _cut(predicted, Box(0, 0, box.height, box.width))
    scale = 2**-shift
    top = box.top // scale
    left = box.left // scale
    bottom = min(-(-(box.top + box.height) // scale), height)
    right = min(-(-(box.left + box.width) // scale), width)
    coarse = prediction.window(Box(top, left, bottom - top, right - left))
    enlarged = Predicted(_repeat(coarse.labels, scale), _repeat(coarse.confidence, scale))
    return _cut(
        enlarged, Box(box.top - top * scale, box.left - left * scale, box.height, box.width)
    )


def _cut(predicted: Predicted, box: Box) -> Predicted:
    """A window of the arrays; beyond their edge the last row and column go on."""
    rows = np.arange(box.top, box.top + box.height).clip(0, predicted.labels.shape[0] - 1)
    columns = np.arange(box.left, box.left + box.width).clip(0, predicted.labels.shape[1] - 1)
    place = np.ix_(rows, columns)
    return Predicted(predicted.labels[place], predicted.confidence[place])


def _repeat(plane: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    return plane.repeat(scale, axis=0).repeat(scale, axis=1)


class HeadPrediction:
    """The live model on one photo. The head is linear, so each stride's share of the logits is
    computed in the size of its own map and enlarged after.
    """

    def __init__(self, features: PhotoFeatures, head: Head) -> None:
        self.level = features.level
        self.size = features.size
        self.head = head
        self._features = features
        self._parts = _split(head, features.pyramid)
        self._coarse = _sum_coarse(features.pyramid, self._parts, head.bias)  # (1, C, h, w)

    def window(self, box: Box, step: int = 1) -> Predicted:
        """Every `step`-th pixel of a window: a strip of rows after the other."""
        rows = max(1, _STRIP // max(1, box.width)) // step * step or step
        strips = list[tuple[Labels, NDArray[np.float32]]]()
        for top in range(box.top, box.top + box.height, rows):
            height = min(rows, box.top + box.height - top)
            logits = self._logits(Box(top, box.left, height, box.width), step)
            strips.append(read_labels(logits))
        places = np.concatenate([labels for labels, _ in strips])
        confidence = np.concatenate([confidence for _, confidence in strips])
        keys = np.array(self.head.keys, np.uint8)
        return Predicted(keys[places], quantize_confidence(confidence))

    @torch.inference_mode()
    def _logits(self, box: Box, step: int) -> NDArray[np.float32]:
        detail = self._features.pyramid[1][
            :, box.top : box.top + box.height : step, box.left : box.left + box.width : step
        ]
        values = torch.from_numpy(np.ascontiguousarray(detail)).float()  # (D, h, w)
        fine = torch.einsum("dc,dhw->chw", self._parts[1], values)
        if step == 1:
            coarse = _enlarge(self._coarse, box)
        else:
            half = step // 2
            coarse = self._coarse[0, :, box.top // 2 :: half, box.left // 2 :: half]
            coarse = coarse[:, : fine.shape[1], : fine.shape[2]]
        logits: NDArray[np.float32] = ((fine + coarse) / self.head.temperature).numpy()
        return logits


def _split(head: Head, pyramid: Mapping[int, NDArray[np.float16]]) -> dict[int, torch.Tensor]:
    """The head's weights by stride."""
    parts = {}
    first = 0
    for stride in sorted(pyramid):
        last = first + len(pyramid[stride])
        parts[stride] = torch.from_numpy(np.ascontiguousarray(head.weights[first:last]))
        first = last
    return parts


@torch.inference_mode()
def _sum_coarse(
    pyramid: Mapping[int, NDArray[np.float16]],
    parts: Mapping[int, torch.Tensor],
    bias: NDArray[np.float32],
) -> torch.Tensor:
    """Logits (1, C, h, w) of all strides from 2 on, at stride 2."""
    total = torch.zeros(0)
    for stride in sorted(pyramid, reverse=True)[:-1]:
        values = torch.from_numpy(pyramid[stride]).float()  # (D, h, w)
        logits = torch.einsum("dc,dhw->chw", parts[stride], values)[None]
        if len(total):
            larger = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
            logits = logits + larger[:, :, : logits.shape[2], : logits.shape[3]]
        total = logits
    return total + torch.from_numpy(bias)[None, :, None, None]


def _enlarge(coarse: torch.Tensor, box: Box) -> torch.Tensor:
    """A window (C, h, w) of logits at stride 1, of those at stride 2."""
    top = max(0, box.top // 2 - 1)
    left = max(0, box.left // 2 - 1)
    bottom = (box.top + box.height) // 2 + 2
    right = (box.left + box.width) // 2 + 2
    part = coarse[:, :, top:bottom, left:right]
    larger = F.interpolate(part, scale_factor=2, mode="bilinear", align_corners=False)
    row = box.top - 2 * top
    column = box.left - 2 * left
    return larger[0, :, row : row + box.height, column : column + box.width]
