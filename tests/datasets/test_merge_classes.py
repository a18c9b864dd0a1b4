import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwise
from pixelwise.classes import VOID
from pixelwise.datasets.merge_classes import merge_classes, parse_merges
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.options import DataOptions
from pixelwise.errors import ConfigError

QUICK: dict[str, Any] = {
    "encoder": "test_resnet",
    "decoder": "fcn32s",
    "weights": "none",
    "crop": (32, 32),
    "epochs": 1,
    "precision": "float32",
    "workers": 0,
}


def test_classes_are_merged_renamed_and_dropped(shapes: Path) -> None:
    plain = open_dataset(shapes)
    assert plain.classes.names == ("background", "circle", "square", "triangle")
    options = DataOptions(merge=("round=circle", "flat=background,square"), drop=("triangle",))
    merged = open_dataset(shapes, options)
    assert merged.classes.names == ("flat", "round")
    assert merged.classes.palette == plain.classes.palette[:2]
    reader = pickle.loads(pickle.dumps(merged.read_labels))
    for pair in plain.pairs("val"):
        before = plain.read_labels(pair.mask)
        after = reader(pair.mask)
        expected = np.select([before == 1, before == 3, before == VOID], [1, VOID, VOID], 0)
        assert np.array_equal(after, expected)
    assert "classes: flat (of background and square), round (of circle), without triangle" in (
        merged.notes
    )


def test_a_model_of_merged_classes_is_scored_alike(shapes: Path, tmp_path: Path) -> None:
    pixelwise.train(shapes, tmp_path / "run", merge=("shape=circle,square,triangle",), **QUICK)
    model = pixelwise.load(tmp_path / "run")
    assert model.classes.names == ("background", "shape")
    scores = pixelwise.evaluate(tmp_path / "run", shapes)
    assert scores.classes.names == ("background", "shape")
    pixelwise.convert(
        shapes, tmp_path / "merged", to="folder", merge=("shape=circle,square,triangle",)
    )
    again = pixelwise.evaluate(tmp_path / "run", tmp_path / "merged", split="val")
    assert again.scores.mean_iou == pytest.approx(
        pixelwise.evaluate(tmp_path / "run", shapes, split="val").scores.mean_iou
    )


@pytest.mark.parametrize(
    ("merges", "drops", "text"),
    [
        (["thing=disc"], [], "no class disc to merge or drop; the data has background, circle"),
        ([], ["disc"], "no class disc"),
        (["a=circle", "b=circle"], [], "class circle is merged or dropped twice"),
        (["a=circle"], ["circle"], "class circle is merged or dropped twice"),
        (["square=circle"], [], "the data has a class square already"),
        (["circle=circle"], [], "merges circle into itself"),
        (["a=circle", "a=square"], [], "a is given twice"),
        (["circle"], [], "give NAME=CLASS,CLASS"),
        ([], ["background", "circle", "square", "triangle"], "every class is dropped"),
    ],
)
def test_what_cannot_be_is_refused(
    shapes: Path, merges: list[str], drops: list[str], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        merge_classes(open_dataset(shapes), merges, drops)


def test_what_is_merged_already_stays(shapes: Path) -> None:
    once = merge_classes(open_dataset(shapes), ["shape=circle,square,triangle"], [])
    again = merge_classes(once, ["shape=circle,square,triangle"], [])
    assert again.classes.names == once.classes.names == ("background", "shape")
    assert parse_merges(["a = b , c"]) == {"a": ("b", "c")}
