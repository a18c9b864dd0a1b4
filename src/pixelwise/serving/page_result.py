"""What a viewer in a browser needs of a Result."""

import base64
import gzip
import math

import numpy as np
from PIL import Image

from pixelwise.classes import VOID_COLOUR, quantize_confidence
from pixelwise.inference.predictor import Result
from pixelwise.io.images import Array, encode_image
from pixelwise.serving.responses import Wish, encode

VIEW_PIXELS = 4_000_000
"""Larger pictures are shown smaller, so that a browser repaints them at once; mask and data keep
their size.
"""


_ALL = Wish.model_validate({})


def answer(result: Result, model: str) -> dict[str, object]:
    """The result as JSON can hold it.

    classes: name and colour by id. image: a JPEG of at most VIEW_PIXELS as data URL; labels and
    confidence (255 = sure) at its size (`view`, height and width), bytes row by row, compressed
    with gzip, in base64. mask: the whole palette PNG in base64. data: the JSON that the interface
    gives.
    """
    step = max(1, math.ceil((result.labels.size / VIEW_PIXELS) ** 0.5))
    labels = np.ascontiguousarray(result.labels[::step, ::step])
    confidence = quantize_confidence(result.confidence[::step, ::step])
    photo = result.rgb
    if step > 1:
        photo = np.asarray(Image.fromarray(photo).resize(labels.shape[::-1], Image.Resampling.BOX))
    return {
        "size": result.labels.shape,
        "view": labels.shape,
        "classes": [
            {"name": n, "colour": c} for n, c in zip(result.classes, result.palette, strict=True)
        ],
        "void": VOID_COLOUR,
        "image": data_url(photo),
        "labels": _packed(labels),
        "confidence": _packed(confidence),
        "mask": base64.b64encode(encode(result, _ALL, "mask", model)).decode(),
        "data": encode(result, _ALL, "json", model).decode(),
    }


def data_url(rgb: Array) -> str:
    """(H, W, 3) uint8 as a JPEG within an address."""
    return f"data:image/jpeg;base64,{base64.b64encode(encode_image(rgb, 'JPEG')).decode()}"


def _packed(plane: Array) -> str:
    return base64.b64encode(gzip.compress(plane.tobytes(), compresslevel=1)).decode()
