import json
from pathlib import Path

import numpy as np
import pytest

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import DataError
from pixelwise.evaluation.compare_models import compare
from pixelwise.inference.predictor import Predictor

NAMES = ("background", "circle", "square", "triangle")


class Brightness:
    """The class is the red channel's quarter; with `blind`, the upper half is taken for the first
    class.
    """

    def __init__(self, classes: int, *, blind: bool = False) -> None:
        self.classes = classes
        self.blind = blind

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        label = (rgb[:, 0].astype(int) * self.classes) // 256
        if self.blind:
            label[:, : label.shape[1] // 2] = 0
        return np.stack([label == k for k in range(self.classes)], axis=1).astype(np.float32)


def model(names: tuple[str, ...] = NAMES, *, blind: bool = False) -> Predictor:
    return Predictor(Brightness(len(names), blind=blind), Classes.named(names))


def test_files_of_evaluate_give_what_the_models_give(shapes: Path, tmp_path: Path) -> None:
    models = [model(), model(blind=True)]
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for one, path in zip(models, files, strict=True):
        pixelwise.evaluate(one, shapes).write_json(path)
    by_model = compare(models, shapes)
    by_file = compare(files)
    assert by_file.models == ("a.json", "b.json")
    assert {**by_file.as_dict(), "models": 0, "best": 0, "behind": 0, "verdicts": 0} == {
        **by_model.as_dict(),
        "models": 0,
        "best": 0,
        "behind": 0,
        "verdicts": 0,
    }
    assert (by_file.counts == by_model.counts).all()


def test_score_files_that_do_not_fit_together_are_refused(shapes: Path, tmp_path: Path) -> None:
    def written(name: str, one: Predictor, split: str = "test") -> Path:
        pixelwise.evaluate(one, shapes, split=split).write_json(tmp_path / name)
        return tmp_path / name

    usual = written("a.json", model())
    old = json.loads(usual.read_text())
    old["mean_iou_by_image"] = [
        {"image": row["image"], "mean_iou": 0.5} for row in old["mean_iou_by_image"]
    ]
    other = json.loads(usual.read_text())
    other["mean_iou_by_image"][0]["true"][0] += 1
    cases = {
        "different classes": written("b.json", model(NAMES[:2])),
        "different splits, test and val": written("c.json", model(), "val"),
        r"different images \(": tmp_path / "fewer.json",
        "does not hold the counts of every image": tmp_path / "old.json",
        "differ in the truth of": tmp_path / "other.json",
        "no such file|No such file": tmp_path / "missing.json",
        "JSONDecodeError": tmp_path / "cut.json",
    }
    fewer = json.loads(usual.read_text())
    fewer["mean_iou_by_image"].pop()
    (tmp_path / "fewer.json").write_text(json.dumps(fewer))
    (tmp_path / "old.json").write_text(json.dumps(old))
    (tmp_path / "other.json").write_text(json.dumps(other))
    (tmp_path / "cut.json").write_text(usual.read_text()[:200])
    for text, path in cases.items():
        with pytest.raises(DataError, match=text):
            compare([usual, path])
