"""Tasks of Label Studio: brushes of classes, and the configuration that names them."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.annotations import brush_rle
from pixelwise.datasets.annotations.labelstudio_tasks import holds_tasks, read_task
from pixelwise.datasets.annotations.write_labelstudio import write, write_config

CLASSES = Classes(("background", "cat", "dog"), ((0, 0, 0), (255, 0, 16), (0, 1, 2)))
LABELS = np.array([[0, 1, 1], [0, VOID, 2]], np.uint8)


def test_annotations_hold_a_brush_for_each_class_that_occurs(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    write(path, [("images/train/a b.jpg", LABELS), ("images/c.jpg", LABELS * 0)], CLASSES)
    assert holds_tasks(path)
    first, second = map(read_task, json.loads(path.read_text()))
    assert "a b.jpg" in first.names
    assert [region.label for region in first.regions or ()] == ["cat", "dog", "void"]
    bits = [brush_rle.decode(region.numbers, (2, 3)) for region in first.regions or ()]
    np.testing.assert_array_equal(bits, [label == LABELS for label in (1, 2, VOID)])
    assert second.regions == []


def test_predictions_are_no_annotations(tmp_path: Path) -> None:
    write(tmp_path / "tasks.json", [("a.jpg", LABELS)], CLASSES, model="mine")
    (task,) = json.loads((tmp_path / "tasks.json").read_text())
    assert read_task(task).regions is None
    assert task["predictions"][0]["model_version"] == "mine"


def test_the_configuration_has_the_tags_that_regions_name(tmp_path: Path) -> None:
    write(tmp_path / "tasks.json", [("a.jpg", LABELS)], CLASSES)
    write_config(tmp_path / "config.xml", CLASSES, void=True)
    (task,) = json.loads((tmp_path / "tasks.json").read_text())
    region = task["annotations"][0]["result"][0]
    view = ET.parse(tmp_path / "config.xml").getroot()
    assert view.find("Image").get("name") == region["to_name"]  # type: ignore[union-attr]
    brush = view.find("BrushLabels")
    assert brush is not None
    assert (brush.get("name"), brush.get("toName")) == (region["from_name"], region["to_name"])
    colours = {label.get("value"): label.get("background") for label in brush}
    assert colours == {"cat": "#ff0010", "dog": "#000102", "void": "#e0e0c0"}
