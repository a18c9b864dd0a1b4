"""What a photo looks like to the live model: features of a frozen encoder at several strides, and
colours and edges of each pixel.
"""

from collections.abc import Callable
from threading import Lock

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.io.images import Array
from pixelwise.models.encoder import Encoder
from pixelwise.models.pretrained import load_weights

ENCODER = "tf_efficientnet_lite0"
STRIDES = (2, 4, 8, 16, 32)

# Largest picture of which features are made; larger ones are seen at a half, a quarter and so on.
MAX_PIXELS = 7_000_000
# Side of the tiles, and what is seen of their surroundings; both multiples of the coarsest stride.
_TILE = 512
_MARGIN = 96

FeatureMap = NDArray[np.float16]
"""(C, h, w)."""


class FeatureExtractor:
    """The frozen encoder."""

    def __init__(self) -> None:
        encoder = Encoder(ENCODER, plain=True)
        load_weights(encoder, "auto")
        self._encoder = encoder.eval()
        self._mean = torch.tensor(encoder.mean).reshape(1, 3, 1, 1)
        self._std = torch.tensor(encoder.std).reshape(1, 3, 1, 1)
        self._lock = Lock()

    def extract(self, rgb: Array, wait: Callable[[], None] | None = None) -> dict[int, FeatureMap]:
        """Features (C, ceil(H / stride), ceil(W / stride)) of a picture (H, W, 3), by stride.

        `wait` is called before each tile: work that somebody waits for goes first.
        """
        height, width, _ = rgb.shape
        features: dict[int, FeatureMap] = {}
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                if wait is not None:
                    wait()
                with self._lock:
                    tile = self._extract_tile(rgb, top, left)
                for stride, values in tile.items():
                    if stride not in features:
                        size = (len(values), -(-height // stride), -(-width // stride))
                        features[stride] = np.empty(size, np.float16)
                    rows = slice(top // stride, top // stride + values.shape[1])
                    columns = slice(left // stride, left // stride + values.shape[2])
                    features[stride][:, rows, columns] = values
        return features

    @torch.inference_mode()
    def _extract_tile(self, rgb: Array, top: int, left: int) -> dict[int, FeatureMap]:
        first_row = max(0, top - _MARGIN)
        first_column = max(0, left - _MARGIN)
        window = rgb[first_row : top + _TILE + _MARGIN, first_column : left + _TILE + _MARGIN]
        pixels = torch.from_numpy(np.array(window)).permute(2, 0, 1)[None]
        images = (pixels.float() / 255 - self._mean) / self._std  # (1, 3, h, w)
        images = F.pad(images, (0, -images.shape[3] % 32, 0, -images.shape[2] % 32))
        maps = self._encoder(images.contiguous(memory_format=torch.channels_last))
        features = {}
        for stride in STRIDES:
            row = (top - first_row) // stride
            column = (left - first_column) // stride
            rows = min(_TILE // stride, -(-(rgb.shape[0] - top) // stride))
            columns = min(_TILE // stride, -(-(rgb.shape[1] - left) // stride))
            values = maps[stride][0, :, row : row + rows, column : column + columns]
            features[stride] = values.contiguous().half().numpy()
        return features


def measure_pixels(rgb: Array) -> FeatureMap:
    """Colours and edges of each pixel, (12, H, W): RGB, their squares, those of the
    surroundings, and how much the brightness changes at two scales.
    """
    colours = rgb.astype(np.float32).transpose(2, 0, 1) / 127.5 - 1  # (3, H, W)
    brightness = colours.mean(axis=0)
    smooth = np.stack([ndimage.gaussian_filter(plane, 2, truncate=2) for plane in colours])
    fine = ndimage.gaussian_filter(brightness, 1, truncate=2)
    coarse = smooth.mean(axis=0)
    edges = [_edge_strength(fine), _edge_strength(coarse), fine - coarse]
    return np.concatenate([colours, colours**2, smooth, np.stack(edges) * 4]).astype(np.float16)


def _edge_strength(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    down = np.diff(plane, axis=0, append=plane[-1:])
    across = np.diff(plane, axis=1, append=plane[:, -1:])
    return np.hypot(down, across)
