"""Labels as tasks of Label Studio, with a brush mask for each class.

Source: Label Studio's documentation, on importing annotations and predictions, on local files, and
on the tags of a labelling configuration.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.annotations import brush_rle
from pixelwise.datasets.annotations.rasterize import classes_to_declare, uncovered_label
from pixelwise.io.atomic import atomic, write_text
from pixelwise.io.images import Array

# How Label Studio serves the files of its own disk, from the folder that it is started with.
_ADDRESS = "/data/local-files/?d="
# Names of the two tags in the configuration, which each region repeats.
_BRUSH = "tag"
_IMAGE = "image"


def write(
    path: Path, items: Iterable[tuple[str, Array]], classes: Classes, *, model: str | None = None
) -> None:
    """Write labels (H, W) by image path, as from the folder that Label Studio serves: a task an
    image, a brush mask a class. They are annotations, or, with the name of a `model`, predictions,
    which annotators see and correct.

    Background, or void where there is none, is what no brush covers.
    """
    with atomic(path) as temp_path, temp_path.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, (image, labels) in enumerate(items, 1):
            task = _describe_task(number, image, describe_regions(labels, classes), model)
            file.write(("," if number > 1 else "") + "\n" + json.dumps(task))
        file.write("\n]\n")


def _describe_task(
    number: int, image: str, regions: list[dict[str, Any]], model: str | None
) -> dict[str, Any]:
    task: dict[str, Any] = {"id": number, "data": {_IMAGE: _ADDRESS + quote(image)}}
    if model is not None:
        return task | {"predictions": [{"model_version": model, "result": regions}]}
    return task | {"annotations": [{"was_cancelled": False, "result": regions}]}


def describe_regions(labels: Array, classes: Classes) -> list[dict[str, Any]]:
    """A brush mask for each class that occurs in labels (H, W), but for what needs no shape, in
    Label Studio's terms.
    """
    height, width = labels.shape
    regions = []
    for label in np.unique(labels).tolist():
        if label == uncovered_label(classes):
            continue
        name = "void" if label == VOID else classes.names[label]
        regions.append(
            {
                "id": f"class{label}",
                "from_name": _BRUSH,
                "to_name": _IMAGE,
                "type": "brushlabels",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {
                    "format": "rle",
                    "brushlabels": [name],
                    "rle": brush_rle.encode(labels == label),
                },
            }
        )
    return regions


def write_config(path: Path, classes: Classes, *, void: bool) -> None:
    """Write the labelling configuration: the image, and a brush with the classes and colours."""
    view = ET.Element("View")
    ET.SubElement(view, "Image", name=_IMAGE, value=f"${_IMAGE}", zoom="true")
    brush = ET.SubElement(view, "BrushLabels", name=_BRUSH, toName=_IMAGE)
    for name, colour, _ in classes_to_declare(classes, void=void):
        ET.SubElement(brush, "Label", value=name, background=f"#{bytes(colour).hex()}")
    ET.indent(view)
    write_text(path, ET.tostring(view, encoding="unicode") + "\n")
