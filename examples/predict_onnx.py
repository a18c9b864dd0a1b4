"""Masks from a file of `pixelwise export`, with numpy, Pillow and ONNX Runtime alone; beside it
lie read_picture.py and picture_size.py, which read the photo and resize it where that is needed.

python examples/predict_onnx.py model.onnx photo.jpg mask.png
"""

import json
import math
import sys

import numpy as np
import onnxruntime
from picture_size import labels_at, read_photo
from PIL import Image

session = onnxruntime.InferenceSession(sys.argv[1])
header = json.loads(session.get_modelmeta().custom_metadata_map["pixelwise"])
classes = header["classes"]
TILE, _ = header["tiles"]["tile"]
OVERLAP = header["tiles"]["overlap"]


def gaps(length: int, side: int) -> int:
    return max(0, -(-(length - side) // (side - int(side * OVERLAP))))


def tiles(length: int) -> tuple[int, list[int]]:
    # as few as TILE allows, then as small as so few may be
    sides = (*range(TILE * 3 // 4, TILE, 32), TILE)
    enough = (side for side in sides if gaps(length, side) == gaps(length, TILE))
    side = next(enough) if length > TILE else length
    steps = gaps(length, side)
    return side, [step * (length - side) // max(1, steps) for step in range(steps + 1)]


def ramp(side: int) -> np.ndarray:
    # a tile counts less and less towards its edges, where others lie over it
    edge = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1
    return np.minimum(edge / (math.ceil(side * OVERLAP) + 1), 1)


rgb, size = read_photo(sys.argv[2], header["training"])
total = np.zeros((len(classes["names"]), *rgb.shape[1:]), np.float32)
count = np.zeros(rgb.shape[1:], np.float32)
height, tops = tiles(rgb.shape[1])
width, lefts = tiles(rgb.shape[2])
weight = ramp(height)[:, None] * ramp(width)
for top in tops:
    for left in lefts:
        window = np.s_[:, top : top + height, left : left + width]
        total[window] += session.run(None, {"rgb": rgb[window][None]})[0][0] * weight
        count[window[1:]] += weight
mask = Image.fromarray(labels_at(total / count, *size))
mask.putpalette(np.array(classes["palette"], np.uint8).tobytes())
mask.save(sys.argv[3])
