"""The measures of workers, joined, against those of one process."""

import faulthandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pixelwise.cluster import evaluate_job as module
from pixelwise.cluster.engine import Cluster
from pixelwise.cluster.evaluate_job import ClusterExecutor, EvalTask, EvalWorker, _in_order
from pixelwise.cluster.watchdog import DEFAULT_PACE, SLOWDOWN
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import DataError
from pixelwise.evaluation.class_match import match_classes
from pixelwise.evaluation.scoring import ScoringTask, evaluate
from pixelwise.inference.load import load

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # Ray Data's of its own settings


def test_every_figure_is_that_of_one_machine_to_the_last_bit(
    ray: Any, model: Path, shapes: Path
) -> None:
    executor = ClusterExecutor(model, {}, Cluster(), {"tta": True, "largest": ("circle",)})
    predictor = load(model).always(tta=True, largest=("circle",))
    alone = evaluate(predictor, shapes, split="train", temperature=1.5)
    many = evaluate(predictor, shapes, split="train", temperature=1.5, executor=executor)
    assert many.as_dict() == alone.as_dict()
    assert (many.scores.counts == alone.scores.counts).all()
    assert many.scores.images == 12
    assert many.metrics.reliability.error == alone.metrics.reliability.error, (
        "no rounding in between"
    )


def test_what_cannot_be_measured_and_what_kills_its_workers_ends_the_evaluation(
    model: Path, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load_predictor", lambda model, loading, attempts: load(model))
    attempts = SimpleNamespace(begin=lambda what: int(what == "batch 7") * 4)
    monkeypatch.setattr(module, "call_actor", lambda method, *args: method(*args))
    predictor = load(model)
    dataset = open_dataset(shapes)
    shared = match_classes(predictor.classes, dataset.classes)
    scoring = ScoringTask("test", dataset.read_labels, shared, None)
    judge = EvalWorker(EvalTask(model, {}, {}, scoring, attempts))
    pair = dataset.pairs("test")[0]
    broken = tmp_path / "broken.png"
    broken.write_bytes(pair.mask.read_bytes()[:50])
    row = {
        "batch": 0,
        "numbers": [0, 1],
        "names": ["a", "b"],
        "pixels": [4_000_000, 9_000_000],
        "images": [str(pair.image)] * 2,
        "masks": [str(pair.mask)] * 2,
    }
    seen = list[float | str]()
    monkeypatch.setattr(
        faulthandler, "dump_traceback_later", lambda seconds, **options: seen.append(seconds)
    )
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: seen.append("rest"))
    assert [found["number"] for found in judge(row)] == [0, 1]
    assert seen == [SLOWDOWN * DEFAULT_PACE * 9_000_000] * 3 + ["rest"], (
        "watched as it begins and after each image"
    )
    with pytest.raises(DataError, match=r"broken\.png"):
        list(_in_order(iter(judge({**row, "masks": [str(pair.mask), str(broken)]}))))
    with pytest.raises(DataError, match="workers died 4 times while they measured a, b"):
        list(_in_order(iter(judge({**row, "batch": 7}))))


def test_measures_come_in_the_order_of_their_images_once_each() -> None:
    rows = [{"number": number, "result": f"m{number}"} for number in (2, 0, 1, 1, 4, 0, 3)]
    assert list(_in_order(iter(rows))) == ["m0", "m1", "m2", "m3", "m4"]  # type: ignore[arg-type]
