"""Layers of overlapping classes as what a client asked for: PNG of one class, overlay, or JSON."""

import json
from dataclasses import replace
from typing import Any

import numpy as np

from pixelwise.classes import VOID, quantize_confidence
from pixelwise.errors import ConfigError
from pixelwise.inference.layer_predictor import LayerResult
from pixelwise.inference.regions import outlines
from pixelwise.io.images import Array, encode_image
from pixelwise.reports.layer_overlays import layer_shares
from pixelwise.serving.params import Format, SegmentParams
from pixelwise.serving.responses import describe_notes, run_lengths


def choose_layer_format(params: SegmentParams, kind: Format, names: tuple[str, ...]) -> Format:
    """What is answered where `kind` was chosen: JSON in place of a mask that nobody named. Raises
    ConfigError for a picture of a class where not one class is named.
    """
    if kind not in ("mask", "confidence") or len(params.classes) == 1:
        return kind
    if params.format is None and not params.classes:
        return "json"
    raise ConfigError(
        f"format {kind}: the model's classes overlap, and a picture holds one of them; name it, as "
        f"in classes={names[0]} (of {', '.join(names)}), or ask for json, which holds all"
    )


def apply_layer_params(result: LayerResult, params: SegmentParams) -> LayerResult:
    """`result` with the classes that the parameters name, from their threshold on if it is not
    0.
    """
    layers = result.layers  # (C, H, W)
    if params.threshold > 0:
        above = (result.scores >= params.threshold).astype(np.uint8)
        layers = np.where(layers == VOID, np.uint8(VOID), above)
    names = params.classes or result.classes
    chosen = [number for number, name in enumerate(result.classes) if name in names]
    return replace(
        result,
        layers=layers[chosen],
        scores=result.scores[chosen],
        classes=tuple(result.classes[number] for number in chosen),
        palette=tuple(result.palette[number] for number in chosen),
    )


def encode_layers(result: LayerResult, params: SegmentParams, kind: Format, model: str) -> bytes:
    """The body of the answer; of a mask and of scores that of the first class."""
    if kind == "mask":
        return encode_image((result.layers[0] == 1) * np.uint8(255), "PNG")
    if kind == "confidence":
        return encode_image(quantize_scores(result)[0], "PNG")
    if kind == "overlay":
        return encode_image(np.asarray(result.overlay(params.opacity)), "JPEG")
    return json.dumps(_describe(result, params, model), separators=(",", ":")).encode()


def quantize_scores(result: LayerResult) -> Array:
    """(C, H, W) scores as bytes, 255 for 1; 0 where the image has no values."""
    scores = quantize_confidence(result.scores.astype(np.float32))
    return np.where(result.layers == VOID, np.uint8(0), scores)


def _describe(result: LayerResult, params: SegmentParams, model: str) -> dict[str, Any]:
    """As of one class a pixel; the shares of all classes may be more than 1."""
    entries = []
    _, height, width = result.layers.shape
    for number, share in enumerate(layer_shares(result.layers).tolist()):
        if not share:
            continue
        layer = result.layers[number] == 1
        entry: dict[str, Any] = {
            "id": number,
            "name": result.classes[number],
            "colour": result.palette[number],
            "pixels": int(layer.sum()),
            "share": share,
        }
        if params.regions == "runs":
            entry["runs"] = run_lengths(layer)
        elif params.regions == "polygons":
            # of all else, which is void, no regions are outlined
            labels = np.where(layer, np.uint8(0), np.uint8(VOID))
            entry["polygons"] = [rings for label, rings in outlines(labels) if label == 0]
        entries.append(entry)
    return {
        "model": model,
        "height": height,
        "width": width,
        "classes": entries,
        "notes": describe_notes(result),
    }
