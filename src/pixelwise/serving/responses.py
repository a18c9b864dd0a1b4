"""A result as what a client asked for: palette PNG, overlay, confidence, or JSON."""

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from pixelwise.classes import VOID, quantize_confidence
from pixelwise.errors import unknown_choice_error
from pixelwise.inference.predictor import Result
from pixelwise.inference.regions import outlines
from pixelwise.io.images import encode_image, encode_labels
from pixelwise.reports.overlays import class_shares
from pixelwise.serving.error_handlers import ApiError

Format = Literal["mask", "overlay", "confidence", "json"]
MEDIA: dict[Format, str] = {
    "mask": "image/png",
    "overlay": "image/jpeg",
    "confidence": "image/png",
    "json": "application/json",
}
ACCEPTED: dict[str, Format] = {
    "image/png": "mask",
    "application/json": "json",
    "image/jpeg": "overlay",
    "image/*": "mask",
    "application/*": "json",
    "*/*": "mask",
}


class Wish(BaseModel, extra="forbid"):
    """What is made of an image."""

    model: str | None = Field(
        None, description="A name from /v1/models; the first one if none is given."
    )
    format: Format | None = Field(
        None,
        description="mask: palette PNG of class ids, 255 where void. overlay: the image tinted, "
        "JPEG. "
        "confidence: grey "
        "PNG, 255 = sure. json: shares and regions. If not given, Accept decides: PNG, JPEG "
        "(overlay) or JSON.",
    )
    threshold: float = Field(0, ge=0, le=1, description="Pixels of less confidence become void.")
    classes: list[Annotated[str, Field(max_length=200)]] = Field(
        [],
        description="Names of classes to keep; others become void. All if none are given.",
        max_length=255,
    )
    opacity: float = Field(0.5, ge=0, le=1, description="Of the overlay.")
    regions: Literal["runs", "polygons", "none"] = Field(
        "runs",
        description="In JSON. runs: COCO's uncompressed run-lengths by class, down the columns. "
        "polygons: a list of "
        "regions, each a list of rings of (column, row) corners, the outer ring first.",
    )


class Share(BaseModel):
    """A class that occurs. `id` is 255 and `name` void where nothing is said of the pixels."""

    id: int
    name: str
    colour: tuple[int, int, int] | None
    pixels: int
    share: float
    runs: list[int] | None = None
    polygons: list[list[list[tuple[float, float]]]] | None = None


class Segmentation(BaseModel):
    """The answer as JSON; sizes in pixels."""

    model: str
    height: int
    width: int
    classes: list[Share]


def wanted_format(wish: Wish, accept: str) -> Format:
    """What `format` or else the header Accept asks for. Raises ApiError where nothing of that can
    be made.
    """
    if wish.format is not None:
        return wish.format
    ranges = [part.replace(" ", "").lower().partition(";") for part in accept.split(",")]
    for kind, _, parameters in sorted(ranges, key=lambda found: _quality(found[2]), reverse=True):
        if kind in ACCEPTED and _quality(parameters) > 0:
            return ACCEPTED[kind]
    raise ApiError(
        406, "not_acceptable", "Accept allows none of image/png, image/jpeg and application/json"
    )


def refuse_unknown(wish: Wish, names: tuple[str, ...]) -> None:
    """Raises ConfigError for a class that is not among `names`."""
    for name in wish.classes:
        if name not in names:
            raise unknown_choice_error("class", name, names)


def chosen(result: Result, wish: Wish) -> Result:
    """`result` with void where the wish's threshold and classes say so."""
    labels = result.labels
    if wish.threshold > 0:
        labels = np.where(result.confidence < wish.threshold, np.uint8(VOID), labels)
    if wish.classes:
        kept = [result.classes.index(name) for name in wish.classes]
        labels = np.where(np.isin(labels, kept), labels, np.uint8(VOID))
    return replace(result, labels=labels)


def encode(result: Result, wish: Wish, kind: Format, model: str) -> bytes:
    """The body of the answer."""
    if kind == "mask":
        return encode_labels(result.labels, result.palette)
    if kind == "overlay":
        return encode_image(np.asarray(result.overlay(wish.opacity)), "JPEG")
    if kind == "confidence":
        return encode_image(quantize_confidence(result.confidence), "PNG")
    return json.dumps(_described(result, wish, model), separators=(",", ":")).encode()


def _described(result: Result, wish: Wish, model: str) -> dict[str, Any]:
    height, width = result.labels.shape
    found: dict[int, dict[str, Any]] = {}
    for label, share in class_shares(result.labels).items():
        known = label < len(result.classes)
        name, colour = (result.classes[label], result.palette[label]) if known else ("void", None)
        pixels = round(share * result.labels.size)
        found[label] = {
            "id": label,
            "name": name,
            "colour": colour,
            "pixels": pixels,
            "share": share,
        }
    if wish.regions == "runs":
        for label, entry in found.items():
            entry["runs"] = runs(result.labels == label)
    elif wish.regions == "polygons":
        for label, rings in outlines(result.labels):
            found[label].setdefault("polygons", []).append(rings)
    return {"model": model, "height": height, "width": width, "classes": list(found.values())}


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of False and True in turn, down the columns, beginning with False: COCO's
    `counts`.
    """
    flat = np.concatenate(([False], mask.ravel(order="F")))
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    lengths: list[int] = np.diff(edges, prepend=0, append=mask.size).tolist()
    return lengths


def _quality(parameters: str) -> float:
    found = [part[2:] for part in parameters.split(";") if part.startswith("q=")]
    try:
        return float(found[0]) if found else 1.0
    except ValueError:
        return 0.0
