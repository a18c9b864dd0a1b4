"""What an exported file takes and gives, as JSON beside it: for programs without pixelwise, some of
which cannot read metadata.
"""

import json
from pathlib import Path
from typing import Any

from pixelwise.classes import VOID
from pixelwise.errors import ConfigError
from pixelwise.inference.backends.onnx_trace import input_name
from pixelwise.inference.tiling import OVERLAP, TILE
from pixelwise.io.atomic import write_text
from pixelwise.io.channels import reading_rule
from pixelwise.models.checkpoint import HEADER_KEY, Header
from pixelwise.models.segmenter import Segmenter

FREE = "any"


def tiles_of(size: tuple[int, int] | None) -> dict[str, object]:
    """How `predict` cuts large pictures, for programs that run an exported network by
    themselves.
    """
    return {"tile": size or TILE, "overlap": OVERLAP, "weights": "linear"}


def _describe_logits(header: Header) -> str:
    if header.model.thresholds is None:
        return "scores before softmax; the class id is the argmax over the second axis"
    return (
        "scores before a sigmoid, one a class, as classes overlap; a pixel is of each class whose "
        "sigmoid is at least its threshold"
    )


def _threshold(header: Header, number: int) -> dict[str, float]:
    """Of overlapping classes, the score from which a pixel is of the class of that number."""
    thresholds = header.model.thresholds
    return {} if thresholds is None else {"threshold": thresholds[number]}


def describe(
    path: Path, segmenter: Segmenter, header: Header, size: tuple[int, int] | None
) -> dict[str, Any]:
    """The description of the export `path`, of `size` (height, width) or of any: input, output,
    sizes, classes with colours, tiles for large pictures, at which size to give photos, and the
    header as it stands in the file.
    """
    images = FREE if size is None else 1
    height, width = (FREE, FREE) if size is None else size
    return {
        "file": path.name,
        "input": {
            "name": input_name(segmenter.channels),
            "type": "uint8",
            "layout": "NCHW",
            "shape": [images, segmenter.channels, height, width],
            **_describe_channels(header),
            "mean": _round_all(segmenter.mean.flatten().tolist()),
            "std": _round_all(segmenter.std.flatten().tolist()),
        },
        "output": {
            "name": "logits",
            "type": "float32",
            "layout": "NCHW",
            "shape": [images, len(header.classes), height, width],
            "meaning": _describe_logits(header),
        },
        "sizes": (
            "any height and width from 1 on; the network pads by itself"
            if size is None
            else f"exactly {height} x {width} (height x width); pad or cut other pictures"
        ),
        "photos": describe_photos(header),
        "classes": describe_classes(header),
        "void": VOID,
        "tiles": tiles_of(size),
        HEADER_KEY: json.loads(header.to_json()),
    }


def _describe_channels(header: Header) -> dict[str, Any]:
    """What the input's channels are, and how values of files become its numbers."""
    channels = reading_rule(header.reading).channels
    if channels is None:
        return {
            "channels": "RGB",
            "range": [0, 255],
            "normalisation": "inside the network: give pixels as they are",
        }
    rows = zip(channels.names, channels.bands, channels.low, channels.high, strict=True)
    return {
        "channels": [
            {"name": name, "band": band, "low": low, "high": high} for name, band, low, high in rows
        ],
        "range": [0, 255],
        "normalisation": (
            "of each band round(255 * (value - low) / (high - low)), cut to 0 to 255; pixels "
            "without a value take that of the nearest one; the rest is inside the network"
        ),
    }


def describe_classes(header: Header) -> list[dict[str, Any]]:
    """The classes in the order of their ids, with colours and thresholds."""
    classes = zip(header.classes.names, header.classes.palette, strict=True)
    return [
        {"id": number, "name": name, "colour": list(colour), **_threshold(header, number)}
        for number, (name, colour) in enumerate(classes)
    ]


def describe_photos(header: Header) -> str:
    """At which size to give photos."""
    sizes = header.sizes
    if sizes is None or sizes.framed is False:
        return "at their own size, in tiles where they are large"
    return (
        f"resized to {sizes.side} pixels a side (the square root of height times width) where "
        f"theirs is below {sizes.smallest} or above {sizes.largest}; the logits back to the "
        "photo's size before the argmax; rasters at their own size"
    )


def write_description(path: Path, description: dict[str, Any]) -> None:
    """Write NAME.json beside the export NAME.onnx or NAME.xml. Raises OutputError."""
    text = json.dumps(description, indent=1, ensure_ascii=False)
    write_text(path.with_suffix(".json"), text + "\n")


def check_description(path: Path) -> None:
    """Raises ConfigError where NAME.json is a file of another kind, such as scores: it would be
    lost.
    """
    file = path.with_suffix(".json")
    if not file.exists():
        return
    try:
        existing = json.loads(file.read_text(encoding="utf-8"))
        is_ours = HEADER_KEY in existing and "input" in existing
    except (OSError, ValueError, TypeError):
        is_ours = False
    if not is_ours:
        raise ConfigError(
            f"--out {path}: {file.name} beside it is another file, and the export's description "
            "would replace it; give another name, or move it away"
        )


def _round_all(numbers: list[float]) -> list[float]:
    """float32 as it was written before it became binary."""
    return [round(number, 6) for number in numbers]
