import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError
from pixelwise.evaluation.object_rule import ObjectRule
from pixelwise.inference.predictor import Predictor
from pixelwise.metrics.object_matching import ObjectScores

NAMES = ("background", "cell")


class Bright:
    """A cell where red is high."""

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        cell = rgb[:, 0] > 0.5 if rgb.dtype != np.uint8 else rgb[:, 0] > 127
        return np.stack([~cell, cell], axis=1).astype(np.float32)


def discs(*centres: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[:40, :60]
    return np.any([np.hypot(y - row, x - column) <= 8 for row, column in centres], axis=0)


def write(folder: Path, name: str, cells: np.ndarray, ids: np.ndarray) -> None:
    for kind in ("images/val", "masks/val"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    rgb = np.zeros((*cells.shape, 3), np.uint8)
    rgb[cells] = 255
    Image.fromarray(rgb).save(folder / f"images/val/{name}.png")
    Image.fromarray(ids.astype(np.uint8)).save(folder / f"masks/val/{name}.png")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two discs that touch, with an id each; the model sees one region, and one disc too many."""
    centres = ((20, 15), (20, 30))
    ids = np.where(discs(centres[0]), 1, 0)
    ids[discs(centres[1]) & (ids == 0)] = 2
    write(tmp_path, "a", discs(*centres), ids)
    alone = discs((20, 45))
    write(tmp_path, "b", alone | discs((10, 12)), np.where(alone, 1, 0))
    return tmp_path


def evaluate(data: Path, **options: object) -> ObjectScores:
    predictor = Predictor(Bright(), Classes.named(("background", "foreground")))
    result = pixelwise.evaluate(predictor, data, split="val", instances=True, **options)
    assert result.metrics.objects is not None
    return result.metrics.objects


def test_ids_of_the_truth_keep_objects_apart_that_touch(data: Path) -> None:
    scores = evaluate(data, objects=True)
    assert scores.instances == scores.images == 2
    assert scores.counts()[:, 1].tolist() == [[2, 1], [1, 2]]
    (_, rows), _ = scores.figures(("background", "foreground"))
    assert (rows[1].precision, rows[1].recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_predicted_ones_are_parted_where_asked(data: Path) -> None:
    pytest.importorskip("skimage")
    scores = evaluate(data, objects=True, split_touching=True)
    assert scores.counts()[:, 1].tolist() == [[2, 2], [1, 2]]
    (_, rows), _ = scores.figures(("background", "foreground"))
    assert rows[1].recall == 1


def test_without_ids_connected_regions_are_the_true_objects() -> None:
    truth = discs((20, 15), (20, 30)).astype(np.uint8)
    truth[:5, :5] = 1
    truth[5, 5] = 1  # by a corner
    truth[30:, 50:] = 255
    scores = ObjectScores(2)
    ObjectRule.of(Classes.named(NAMES)).count(scores, None, truth, truth)
    assert scores.instances == 0
    _, regions = ndimage.label(truth == 1, np.ones((3, 3)))
    assert scores.counts()[0, 1].tolist() == [regions, regions]


def test_the_page_the_json_and_the_terminal_hold_the_figures(data: Path, tmp_path: Path) -> None:
    from rich.console import Console

    from pixelwise.cli.tables import evaluation_report

    predictor = Predictor(Bright(), Classes.named(("background", "foreground")))
    report = tmp_path / "report"
    result = pixelwise.evaluate(
        predictor, data, split="val", instances=True, objects=True, report=report
    )
    raw = json.loads((report / "scores.json").read_text())["objects"]
    assert raw["counts"]["foreground"]["predicted"] == 3
    assert [row["image"] for row in raw["counts_by_image"]] == ["a", "b"]
    assert raw["by_iou"]["0.75"]["foreground"]["f1"] == pytest.approx(1 / 3, abs=1e-6)
    page = (report / "report.html").read_text()
    assert "<h2>Objects</h2>" in page
    assert "IoU above 0.75" in page
    console = Console(width=80, record=True, file=io.StringIO())
    for part in evaluation_report(result):
        console.print(part)
    text = console.export_text()
    assert "objects, IoU above 0.5" in text
    assert "0.6667" in text


def test_splitting_without_objects_is_refused(data: Path) -> None:
    predictor = Predictor(Bright(), Classes.named(("background", "foreground")))
    with pytest.raises(ConfigError, match="add objects"):
        pixelwise.evaluate(predictor, data, split_touching=True)


def test_a_background_alone_has_no_objects() -> None:
    with pytest.raises(ConfigError, match="rename a class"):
        ObjectRule.of(Classes.named(("background", "ground")))
