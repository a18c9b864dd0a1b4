"""A result as what a client asked for: palette PNG, overlay, confidence, or JSON."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from pixelwise.classes import VOID, quantize_confidence
from pixelwise.inference.layer_predictor import LayerResult
from pixelwise.inference.predictor import Result
from pixelwise.inference.regions import outlines
from pixelwise.io.images import encode_image, encode_labels
from pixelwise.reports.overlays import class_shares
from pixelwise.serving.params import Format, SegmentParams

MEDIA_TYPES: dict[Format, str] = {
    "mask": "image/png",
    "overlay": "image/jpeg",
    "confidence": "image/png",
    "json": "application/json",
}
NOTES_HEADER = "Pixelwise-Notes"
"""The header of an answer that says what reading did to the image, as `notes` in JSON."""


class Share(BaseModel):
    """A class that occurs. `id` is 255 and `name` void for pixels without a class."""

    id: int
    name: str
    colour: tuple[int, int, int] | None
    pixels: int
    share: float
    runs: list[int] | None = None
    polygons: list[list[list[tuple[float, float]]]] | None = None


class Segmentation(BaseModel):
    """The answer as JSON; sizes in pixels, notes on what reading did to the image."""

    model: str
    height: int
    width: int
    classes: list[Share]
    notes: list[str] = []


def apply_params(result: Result, params: SegmentParams) -> Result:
    """`result` with void where the parameters' threshold and classes say so."""
    labels = result.labels  # (H, W)
    if params.threshold > 0:
        labels = np.where(result.confidence < params.threshold, np.uint8(VOID), labels)
    if params.classes:
        ids = [result.classes.index(name) for name in params.classes]
        labels = np.where(np.isin(labels, ids), labels, np.uint8(VOID))
    return replace(result, labels=labels)


def encode(result: Result, params: SegmentParams, kind: Format, model: str) -> bytes:
    """The body of the answer."""
    if kind == "mask":
        return encode_labels(result.labels, result.palette)
    if kind == "overlay":
        return encode_image(np.asarray(result.overlay(params.opacity)), "JPEG")
    if kind == "confidence":
        return encode_image(quantize_confidence(result.confidence), "PNG")
    return json.dumps(_describe(result, params, model), separators=(",", ":")).encode()


def describe_notes(result: Result | LayerResult) -> list[str]:
    """What reading did to the image, a sentence each, in the characters that a header may have."""
    sentences = (str(note) for note in result.notes if note.what)
    return [sentence.encode("ascii", "replace").decode() for sentence in sentences]


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of False and True in turn, down the columns, beginning with False: COCO's
    `counts`.
    """
    flat = np.concatenate(([False], mask.ravel(order="F")))
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    lengths: list[int] = np.diff(edges, prepend=0, append=mask.size).tolist()
    return lengths


def _describe(result: Result, params: SegmentParams, model: str) -> dict[str, Any]:
    height, width = result.labels.shape
    entries: dict[int, dict[str, Any]] = {}
    for label, share in class_shares(result.labels).items():
        known = label < len(result.classes)
        entries[label] = {
            "id": label,
            "name": result.classes[label] if known else "void",
            "colour": result.palette[label] if known else None,
            "pixels": round(share * result.labels.size),
            "share": share,
        }
    if params.regions == "runs":
        for label, entry in entries.items():
            entry["runs"] = run_lengths(result.labels == label)
    elif params.regions == "polygons":
        for label, rings in outlines(result.labels):
            entries[label].setdefault("polygons", []).append(rings)
    return {
        "model": model,
        "height": height,
        "width": width,
        "classes": list(entries.values()),
        "notes": describe_notes(result),
    }
