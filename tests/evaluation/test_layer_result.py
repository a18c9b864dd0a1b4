import json
from pathlib import Path

import numpy as np

from pixelwise.classes import Classes
from pixelwise.evaluation.layer_result import LayerEvaluation
from pixelwise.evaluation.score_file import read_scores
from pixelwise.metrics.layer_counts import LayerScores


def test_json_and_notebook_tell_the_figures_of_each_class(tmp_path: Path) -> None:
    counts = np.array([[2, 0], [4, 0], [2, 0], [9, 9]])  # right, true, predicted, counted
    evaluation = LayerEvaluation(
        LayerScores(counts, images=1, void_fraction=0.0),
        Classes(("cat", "dog"), ((1, 2, 3), (4, 5, 6))),
        "val",
        (0.4, 0.5),
        ("a note",),
        mean_iou_interval=(0.25, float("nan")),
        iou_intervals=((0.25, 0.75), (float("nan"), float("nan"))),
        by_image=(("x", 0.5),),
        counts={"x": counts[:3]},
    )
    evaluation.write_json(tmp_path / "scores.json")
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written["iou"] == {"cat": 0.5, "dog": None}
    assert written["thresholds"] == {"cat": 0.4, "dog": 0.5}
    assert written["mean_iou_95"] == [0.25, None]
    assert written["mean_iou_by_image"] == [
        {"image": "x", "mean_iou": 0.5, "right": [2, 0], "true": [4, 0], "predicted": [2, 0]}
    ]
    both = read_scores([tmp_path / "scores.json"] * 2)  # `compare` takes such files
    assert both.counts.shape == (2, 1, 3, 2)
    assert repr(evaluation).startswith("<LayerEvaluation on val: mean IoU 0.5000 (cat 0.500")
    assert "cat" in evaluation._repr_html_()
    assert evaluation.summary().confusion_chart() is None
