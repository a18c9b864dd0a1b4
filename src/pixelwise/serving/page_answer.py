"""What goes between the server and the page: a picture in, what a viewer needs of its Result out."""

import base64
import gzip
import io
import json
from functools import partial

import numpy as np
from PIL import Image, UnidentifiedImageError

from pixelwise.errors import ImageError
from pixelwise.images import Array, read_rgb
from pixelwise.inference.predictor import Result
from pixelwise.reports.overlays import VOID_COLOUR, shares
from pixelwise.tasks.labels import VOID

LIMIT_BYTES = 32 * 2**20
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
VIEW_PIXELS = 4_000_000
"""Larger pictures are shown smaller, so that a browser repaints them at once; mask and data keep their size."""


def read_picture(data: bytes) -> Array:
    """RGB (H, W, 3) uint8 of a picture file in one of FORMATS.

    Raises ImageError for other files, and for those that `read_rgb` refuses: damaged ones and too many pixels.
    """
    opened = partial(Image.open, io.BytesIO(data), formats=FORMATS)
    try:
        opened().close()
    except UnidentifiedImageError as error:
        raise ImageError(f"this is no picture that can be read: choose a file of {', '.join(FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, OSError, SyntaxError, ValueError):
        pass  # of the right kind, and refused below with its reason
    return read_rgb(data)


def answer(result: Result) -> dict[str, object]:
    """The result as JSON can hold it.

    classes: name and colour by id. image: a JPEG of at most VIEW_PIXELS as data URL; labels and confidence (255 =
    sure) at its size (`view`, height and width), bytes row by row, compressed with gzip, in base64. mask: the whole
    palette PNG in base64. data: what the page offers as JSON, see `document`.
    """
    step = max(1, int(np.ceil((result.labels.size / VIEW_PIXELS) ** 0.5)))
    labels = np.ascontiguousarray(result.labels[::step, ::step])
    confidence = np.rint(result.confidence[::step, ::step] * 255).astype(np.uint8)
    rgb = Image.fromarray(np.ascontiguousarray(result.rgb))
    return {
        "size": result.labels.shape,
        "view": labels.shape,
        "classes": [{"name": n, "colour": c} for n, c in zip(result.classes, result.palette, strict=True)],
        "void": VOID_COLOUR,
        "image": data_url(rgb if step == 1 else rgb.resize(labels.shape[::-1], Image.Resampling.BOX)),
        "labels": _packed(labels),
        "confidence": _packed(confidence),
        "mask": base64.b64encode(_palette_png(result)).decode(),
        "data": json.dumps(document(result)),
    }


def document(result: Result) -> dict[str, object]:
    """Size, share of each class, and the labels as run-lengths: row by row, `length` pixels of the class `id`."""
    flat, (height, width) = result.labels.ravel(), result.labels.shape
    starts = np.flatnonzero(np.diff(flat, prepend=flat[0] ^ 1))
    share = shares(result.labels)
    return {
        "height": height,
        "width": width,
        "classes": [
            {"id": label, "name": name, "share": share.get(label, 0.0)} for label, name in enumerate(result.classes)
        ],
        "void": VOID,
        "runs": {"id": flat[starts].tolist(), "length": np.diff(starts, append=flat.size).tolist()},
    }


def data_url(image: Image.Image) -> str:
    """The picture as JPEG within an address."""
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _packed(plane: Array) -> str:
    return base64.b64encode(gzip.compress(plane.tobytes(), compresslevel=1)).decode()


def _palette_png(result: Result) -> bytes:
    image, file = Image.fromarray(result.labels), io.BytesIO()
    colours = [*result.palette, *[VOID_COLOUR] * (256 - len(result.palette))]
    image.putpalette([channel for colour in colours for channel in colour])
    image.save(file, format="PNG", compress_level=3)
    return file.getvalue()
