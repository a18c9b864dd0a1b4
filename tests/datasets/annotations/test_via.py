"""VIA's regions: each shape by hand, which attribute is the class, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError

OPEN = DataOptions(hold_out=False)
SQUARE = {"name": "polygon", "all_points_x": [1, 3, 3, 1], "all_points_y": [1, 1, 3, 3]}


def region(shape: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    return {"shape_attributes": shape, "region_attributes": attributes}


def entry(name: str, regions: Any) -> dict[str, Any]:
    return {"filename": name, "size": 100, "regions": regions, "file_attributes": {}}


def folder(root: Path, *regions: dict[str, Any], project: bool = False) -> Path:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (6, 5)).save(root / name)
    content: dict[str, Any] = {
        "a.png100": entry("a.png", list(regions)),
        "b.png100": entry("b.png", {}),
    }
    if project:
        content = {"_via_settings": {"ui": {}}, "_via_img_metadata": content}
    (root / "via_region_data.json").write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("project", [False, True])
def test_a_polygon_and_a_rectangle_by_hand(tmp_path: Path, project: bool) -> None:
    rect = {"name": "rect", "x": 4, "y": 0, "width": 2, "height": 1}
    folder(tmp_path, region(SQUARE, kind="leaf"), region(rect, kind="bark"), project=project)
    data = open_dataset(tmp_path, OPEN)
    assert (data.format, data.classes.names) == ("via", ("background", "bark", "leaf"))
    assert data.read_labels(tmp_path / "a.png").tolist() == [
        [0, 0, 0, 0, 1, 1],
        [0, 2, 2, 0, 0, 0],
        [0, 2, 2, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert not data.read_labels(tmp_path / "b.png").any()


def test_circles_and_turned_ellipses(tmp_path: Path) -> None:
    circle = {"name": "circle", "cx": 1, "cy": 1, "r": 1}
    # a flat one, upright by a quarter turn
    ellipse = {"name": "ellipse", "cx": 4.5, "cy": 2.5, "rx": 2.4, "ry": 0.4, "theta": 1.5708}
    folder(tmp_path, region(circle, label="a"), region(ellipse, label="b"))
    labels = open_dataset(tmp_path, OPEN).read_labels(tmp_path / "a.png")
    assert (labels == 1).sum() == 4
    assert (labels[:, 4] == 2).all()
    assert (labels == 2).sum() == 5


def test_the_class_is_the_attribute_of_that_name_or_the_only_one(tmp_path: Path) -> None:
    ticked = {"tree": True, "car": False}
    folder(tmp_path, region(SQUARE, age="old", Class=ticked), region({"name": "point"}, Class="x"))
    data = open_dataset(tmp_path, OPEN)
    assert data.classes.names == ("background", "tree")
    assert any("1 point" in note for note in data.notes)
    folder(tmp_path, region(SQUARE, age="old", height="3"))
    with pytest.raises(DataError, match=r"attributes age, height, of which none is called class"):
        open_dataset(tmp_path, OPEN)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder(tmp_path, region({"name": "spline"}, label="a"))
    data = open_dataset(tmp_path, OPEN)
    with pytest.raises(DataError, match=r"a\.png: a region is a spline"):
        data.read_labels(tmp_path / "a.png")
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 images of via_region_data.json are not here"):
        open_dataset(tmp_path, OPEN)
    content = {"project": {}, "metadata": {}, "_via_img_metadata": {}}
    (tmp_path / "via_region_data.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="is of VIA 3"):
        open_dataset(tmp_path, OPEN)
    (tmp_path / "via_region_data.json").write_text('{"a": {"file_attributes": {}}}')
    with pytest.raises(DataError, match="'regions' is missing"):
        open_dataset(tmp_path, OPEN)
