import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, DataError, ModelError
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


def test_each_model_scores_as_evaluate_says_and_the_better_one_is_named(shapes: Path) -> None:
    found = compare([model(), model(blind=True)], shapes)
    alone = [pixelwise.evaluate(m, shapes).scores for m in (model(), model(blind=True))]
    assert [row[0] for row in found.iou()] == pytest.approx([scores.mean_iou for scores in alone])
    assert [row[1:] for row in found.iou()] == [
        pytest.approx(scores.iou, nan_ok=True) for scores in alone
    ]
    better, worse = sorted((0, 1), key=lambda at: -alone[at].mean_iou)
    assert found.best == better
    lead = found.behind[worse][0]
    assert lead.value == pytest.approx(alone[better].mean_iou - alone[worse].mean_iou)
    points = (
        f"model {better + 1} is (better than|above) model {worse + 1} by "
        f"{100 * lead.value:.1f} points of mean IoU"
    )
    assert re.match(points, found.verdicts()[0])
    assert found.verdicts()[0].endswith(": significant" if lead.significant else "not significant")
    assert any("4 images are few" in note for note in found.notes)


def test_models_are_compared_on_the_classes_that_all_know(shapes: Path) -> None:
    narrow = ("star", "circle", "background")
    found = compare([model(), model(narrow), model(blind=True)], shapes, split="train")
    assert found.classes == ("background", "circle")
    assert found.counts.shape == (3, 12, 3, 2)
    assert (found.counts[0, :, 1] == found.counts[1, :, 1]).all()
    alone = pixelwise.evaluate(model(narrow), shapes, split="train").scores
    assert found.iou()[1] == pytest.approx([alone.mean_iou, *alone.iou])
    assert len(found.behind) == 2
    assert any("Bonferroni" in note for note in found.notes)
    assert "model 2: the model does not know square, triangle: their pixels are void" in found.notes
    with pytest.raises(ModelError, match="model 2 and data share no class"):
        compare([model(), model(("x", "y"))], shapes)


def test_what_cannot_be_compared_is_refused_before_any_work(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two or more"):
        compare([model()], shapes)
    with pytest.raises(ConfigError, match="--data"):
        compare([model(), model()])
    for more in ({"data": shapes}, {"split": "val"}):
        with pytest.raises(ConfigError, match="their own images"):
            compare(["a.json", "b.json"], **more)
    with pytest.raises(ConfigError, match="mixed"):
        compare([model(), "scores.json"], shapes)
    with pytest.raises(ConfigError, match="pictures"):
        compare(["a.json", "b.json"], report=tmp_path)
    with pytest.raises(DataError, match="train, val, test"):
        compare([model(), model()], shapes, split="holdout")


def test_the_report_shows_the_images_on_which_the_models_differ_most_first(
    shapes: Path, tmp_path: Path
) -> None:
    found = compare([model(), model(blind=True)], shapes, report=tmp_path)
    page = (tmp_path / "compare.html").read_text()
    own = [
        {
            row["image"]: row["mean_iou"]
            for row in pixelwise.evaluate(m, shapes).as_dict()["mean_iou_by_image"]
        }
        for m in (model(), model(blind=True))
    ]
    by_hand = sorted(own[0], key=lambda name: -abs(own[0][name] - own[1][name]))
    assert re.findall(r"<h3>([^:]+): mean IoU", page) == by_hand
    assert page.count("data:image/jpeg;base64,") == 4 * 4
    assert all(verdict in page for verdict in found.verdicts())
    raw = json.loads((tmp_path / "compare.json").read_text())
    assert raw["behind"][0]["mean_iou"]["real"] == found.behind[1 - found.best][0].significant
    assert not any(
        isinstance(v, float) and math.isnan(v) for v in raw["behind"][0]["mean_iou"].values()
    )


def test_models_of_finer_and_coarser_classes_meet_in_a_tree(shapes: Path) -> None:
    fine = model()
    fine.classes = replace(fine.classes, tree=(("cornered", ("square", "triangle")),))
    coarse = model(("background", "circle", "cornered"))
    found = compare([fine, coarse], shapes)
    assert found.classes == ("background", "circle", "cornered")
    assert any("square as cornered" in note for note in found.notes)
    alone = pixelwise.evaluate(fine, shapes)
    joined = alone.scores.joined([[0], [1], [2, 3]])
    assert found.iou()[0][1:] == [pytest.approx(value, nan_ok=True) for value in joined.iou]
    (row,) = alone.parents
    assert row.iou == pytest.approx(joined.iou[2])
    assert alone.as_dict()["tree"] == {"cornered": row.as_dict()}
