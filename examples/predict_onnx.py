"""Masks from a file of `pixelwise export`, with numpy, Pillow and ONNX Runtime alone.

python examples/predict_onnx.py model.onnx photo.jpg mask.png
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

TILE, OVERLAP = 1024, 0.125  # what pixelwise predict does unless told otherwise, as is counting tiles by a bell curve


def starts(length: int) -> list[int]:
    gaps = -(-(length - TILE) // (TILE - int(TILE * OVERLAP))) if length > TILE else 0
    return [i * (length - TILE) // gaps for i in range(gaps + 1)] if gaps else [0]


def bell(length: int) -> np.ndarray:
    return np.exp(-0.5 * ((np.arange(length) - (length - 1) / 2) / (length / 8)) ** 2)


session = onnxruntime.InferenceSession(sys.argv[1])
classes = json.loads(session.get_modelmeta().custom_metadata_map["pixelwise"])["classes"]
rgb = np.asarray(ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGB")).transpose(2, 0, 1)
total, count = np.zeros((len(classes["names"]), *rgb.shape[1:]), np.float32), np.zeros(rgb.shape[1:], np.float32)
for top in starts(rgb.shape[1]):
    for left in starts(rgb.shape[2]):
        window = np.s_[:, top : top + TILE, left : left + TILE]
        weight = bell(rgb[window].shape[1])[:, None] * bell(rgb[window].shape[2])
        total[window] += session.run(None, {"rgb": rgb[window][None]})[0][0] * weight
        count[window[1:]] += weight
mask = Image.fromarray((total / count).argmax(0).astype(np.uint8))
mask.putpalette(np.array(classes["palette"], np.uint8).tobytes())
mask.save(sys.argv[3])
