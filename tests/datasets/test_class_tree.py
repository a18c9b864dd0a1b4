import json
from pathlib import Path

import pytest

from pixelwise.datasets.class_tree import find_members, parse_tree, prune_tree, read_tree
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.options import DataOptions
from pixelwise.errors import ConfigError, DataError

NESTED = ("thing=vehicle,pole", "vehicle=car,bus")


def test_all_that_lies_beneath() -> None:
    tree = parse_tree(NESTED)
    assert find_members(tree) == {
        "thing": ("vehicle", "car", "bus", "pole"),
        "vehicle": ("car", "bus"),
    }
    assert prune_tree(tree, ("car", "pole", "road")) == (("thing", ("car", "pole")),)
    assert prune_tree(tree, ("vehicle", "pole")) == (("thing", ("vehicle", "pole")),)


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        (("vehicle",), r"tree 'vehicle': give NAME=CLASS,CLASS"),
        (("a=b", "b=c", "c=a"), "a in c in b in a is a circle|is a circle"),
        (("a=a",), "a in a is a circle"),
        (("a=x,y", "b=y,z"), "y belongs to a and to b; a class has one parent"),
        (("a=x", "a=y"), "a stands there twice"),
    ],
)
def test_what_is_no_tree_is_refused(texts: tuple[str, ...], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        parse_tree(texts)


def test_the_classes_file_may_hold_it(shapes: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for part in shapes.iterdir():
        if part.is_dir():
            (root / part.name).symlink_to(part)
    names = list(open_dataset(shapes).classes.names)
    file = root / "classes.json"
    tree = {"cornered": ["square", "triangle"]}
    file.write_text(json.dumps({"classes": names, "tree": tree}), encoding="utf-8")
    assert open_dataset(root).classes.tree == (("cornered", ("square", "triangle")),)
    # ids by name, as other tools write them
    by_id = {str(number): name for number, name in enumerate(names)}
    file.write_text(json.dumps({**by_id, "tree": tree}), encoding="utf-8")
    dataset = open_dataset(root)
    assert dataset.classes.names == tuple(names)
    assert dataset.classes.tree == (("cornered", ("square", "triangle")),)
    dropped = open_dataset(root, DataOptions(drop=("square",)))
    assert dropped.classes.tree == ()
    chosen = open_dataset(root, DataOptions(tree=("drawn=circle,square",)))
    assert chosen.classes.tree == (("drawn", ("circle", "square")),)
    for content, match in (
        ({"cornered": ["square", "hexagon"]}, "cornered has hexagon, which the data lacks"),
        ({"circle": ["square"]}, "circle is a class of the data itself"),
    ):
        file.write_text(json.dumps({"classes": names, "tree": content}), encoding="utf-8")
        with pytest.raises(DataError, match=match):
            open_dataset(root)
    file.write_text(json.dumps({"classes": names, "tree": {"a": "square"}}), encoding="utf-8")
    with pytest.raises(DataError, match="tree a: give a list of names"):
        read_tree(file)
