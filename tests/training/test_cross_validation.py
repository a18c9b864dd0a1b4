import json
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.datasets.types import DataOptions, path_within
from pixelwise.errors import ConfigError
from pixelwise.evaluation import find_label_issues
from pixelwise.evaluation.data_options import training_data_options
from pixelwise.evaluation.layer_result import LayerEvaluation
from pixelwise.evaluation.out_of_fold import hold_out_images
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.load import load
from pixelwise.models.checkpoint import read_header
from pixelwise.reports.samples import Sample
from pixelwise.training import cross_validation, run_record
from pixelwise.training.config import TrainConfig
from pixelwise.training.cross_validation import CrossValidation, cross_validate
from pixelwise.training.fold_record import FoldPlan
from pixelwise.training.recipes import split_options

IMAGES = 16  # of train and val in `shapes`


@pytest.fixture(scope="module")
def trained_folds(
    shapes: Path, quick: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> CrossValidation:
    out = tmp_path_factory.mktemp("folds") / "run"
    with pytest.MonkeyPatch.context() as patch:
        _leave_out_pictures(patch)
        return cross_validate(shapes, out, folds=2, epochs=1, **quick)


@pytest.fixture
def no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folds are trained, and not scored together."""
    _leave_out_pictures(monkeypatch)

    def end(data: Path, out: Path, plan: FoldPlan, *others: object) -> CrossValidation:
        return CrossValidation(out, tuple(out / name for name in plan.images))

    monkeypatch.setattr(cross_validation, "_finish", end)


def _leave_out_pictures(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(run_record.Pictures, "draw", lambda *_: None)
    patch.setattr(run_record.Pictures, "catch_up", lambda *_: None)
    patch.setattr(run_record.Pictures, "report", lambda *_: None)
    patch.setattr(run_record, "write_run_page", lambda *_: None)
    patch.setattr(find_label_issues, "_write_crop", lambda *_: Sample("", ()))


def list_done(out: Path) -> list[str]:
    record = json.loads((out / "folds.json").read_text())
    return [fold["run"] for fold in record["folds"] if fold["done"]]


def test_each_image_is_scored_once_by_the_model_that_has_not_seen_it(
    trained_folds: CrossValidation, shapes: Path
) -> None:
    result = trained_folds.evaluation
    assert result is not None
    assert len(result.counts) == IMAGES
    right = np.zeros(4, np.int64)
    seen = 0
    for run in trained_folds.runs:
        own = pixelwise.evaluate(run, shapes, split="val")
        seen += len(own.counts)
        right += sum(counts[0] for counts in own.counts.values())
        options = training_data_options(run)
        data = open_dataset(shapes, options)
        names = {path_within(shapes, pair.image) for pair in data.pairs("val")}
        assert names == set(options.val_images)
        assert len(data.pairs("train")) == IMAGES - len(names)
    assert seen == IMAGES
    np.testing.assert_array_equal(right, sum(counts[0] for counts in result.counts.values()))
    low, high = result.mean_iou_interval
    assert low < result.scores.mean_iou < high


def test_the_folder_holds_runs_scores_suspects_and_a_page(trained_folds: CrossValidation) -> None:
    names = {path.name for path in trained_folds.path.iterdir()}
    runs = {"fold1", "fold2"}
    assert names == {*runs, "folds.json", "scores.json", "report.html", "suspects"}
    record = json.loads((trained_folds.path / "folds.json").read_text())
    assert sorted(record["result"]["folds"]) == sorted(runs)
    assert trained_folds.evaluation is not None
    mean_iou = trained_folds.evaluation.scores.mean_iou
    assert record["result"]["mean_iou"] == pytest.approx(mean_iou, abs=1e-6)
    page = (trained_folds.path / "report.html").read_text()
    for text in ("Out-of-fold mean IoU", "fold2", "By fold", "Labels that may be wrong"):
        assert text in page
    assert "has not seen it" in (trained_folds.path / "suspects/suspects.html").read_text()


def test_a_folder_of_folds_is_the_average_of_its_models(
    trained_folds: CrossValidation, photo: Path
) -> None:
    average = pixelwise.load(trained_folds.path).predict(photo, scores="probabilities")
    alone = [
        pixelwise.load(run).predict(photo, scores="probabilities") for run in trained_folds.runs
    ]
    mean = np.mean([result.scores["probabilities"] for result in alone], axis=0)
    np.testing.assert_allclose(average.scores["probabilities"], mean, atol=2e-3)
    done = pixelwise.predict(trained_folds.path, photo, photo.parent / "out")
    assert len(done.written) == 1


def test_evaluate_takes_the_folds_as_out_of_fold_models(
    trained_folds: CrossValidation, shapes: Path, recorded: Any
) -> None:
    listener = recorded()
    val = pixelwise.evaluate(trained_folds.path, shapes, split="val", progress=listener)
    assert trained_folds.evaluation is not None
    for name, counts in val.counts.items():
        # of names that train has too the pooled ones carry the split
        np.testing.assert_array_equal(trained_folds.evaluation.counts[f"val/{name}"], counts)
    assert any("has not seen them" in line for line in listener.lines)


def test_the_test_split_is_no_folds_and_of_all_models(
    trained_folds: CrossValidation, shapes: Path
) -> None:
    test = {path_within(shapes, pair.image) for pair in open_dataset(shapes).pairs("test")}
    for run in trained_folds.runs:
        assert not test & set(training_data_options(run).val_images)
    average = pixelwise.load(trained_folds.path)
    scores = pixelwise.evaluate(average, shapes).scores
    assert scores.images == len(test)


def test_what_is_begun_goes_on_to_the_same_weights_and_what_is_finished_stays(
    no_end: None,
    shapes: Path,
    quick: dict[str, Any],
    tmp_path: Path,
    stopper: Any,
    recorded: Any,
    read_weights: Any,
) -> None:
    options = {**quick, "epochs": 3, "validate_every": 1}
    whole = tmp_path / "whole"
    cross_validate(shapes, whole, folds=2, **options)
    half = tmp_path / "half"
    # six steps are the first fold's; the second is stopped in its second epoch
    cross_validate(shapes, half, folds=2, progress=stopper(10), **options)
    assert list_done(half) == ["fold1"]
    first = half / "fold1/model.safetensors"
    written = first.stat().st_mtime_ns
    listener = recorded()
    cross_validate(shapes, half, resume=True, progress=listener)
    assert first.stat().st_mtime_ns == written
    assert sum("trained before" in line for line in listener.lines) == 1
    assert list_done(half) == ["fold1", "fold2"]
    for name in ("fold1", "fold2"):
        weights = read_weights(whole / name)
        for key, value in read_weights(half / name).items():
            assert (weights[key] == value).all()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_process_is_gone_on_with(
    no_end: None, shapes: Path, quick: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = {"folds": 2, "epochs": 1, **quick}
    process = get_context("fork").Process(target=cross_validate, args=(shapes, out), kwargs=options)
    process.start()
    while not (out / "fold1/history.csv").is_file():
        assert process.is_alive()
        time.sleep(0.02)
    process.kill()
    process.join()
    cross_validate(shapes, out, resume=True)
    assert list_done(out) == ["fold1", "fold2"]


def test_minutes_are_for_all_folds_together_and_their_scores() -> None:
    config = TrainConfig.from_flat(minutes=20.0)
    plan = FoldPlan(config, DataOptions(), "", {f"fold{number}": () for number in range(4)})
    begun = cross_validation._Clock(plan, time.monotonic(), 0.0)
    assert begun.minutes(left=4) == pytest.approx(0.85 * 20 / 4, abs=0.01)
    # ten minutes were spent in an earlier session; the scores will take one
    later = cross_validation._Clock(plan, time.monotonic(), 600.0)
    assert later.needs_end
    later.set_end(60.0)
    assert not later.needs_end
    assert later.minutes(left=2) == pytest.approx((20 - 10 - 1) / 2, abs=0.01)
    later.add(3000.0)
    assert later.minutes(left=2) == pytest.approx(20 / 4 / 2, abs=0.01)


def test_what_cannot_be_is_refused_before_a_fold_is_trained(
    shapes: Path, quick: dict[str, Any], tmp_path: Path, trained_folds: CrossValidation
) -> None:
    for folds, message in ((1, "--folds 1: "), (17, "16 images to train on")):
        with pytest.raises(ConfigError, match=message):
            cross_validate(shapes, tmp_path / "run", folds=folds, **quick)
        assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="one process"):
        cross_validate(shapes, tmp_path / "run", folds=2, devices=2, **quick)
    with pytest.raises(ConfigError, match="begun with --folds 2, and 3"):
        cross_validate(shapes, trained_folds.path, folds=3, resume=True)
    with pytest.raises(ConfigError, match="is the run of one training"):
        cross_validate(shapes, trained_folds.runs[0], folds=2, resume=True)
    write_shapes(tmp_path / "other", train=6, val=2, test=0, size=(64, 96), seed=9)
    with pytest.raises(ConfigError, match="other data than"):
        cross_validate(tmp_path / "other", trained_folds.path, resume=True)


def test_splits_that_are_pooled_are_said_and_groups_stay_together(
    no_end: None, shapes: Path, quick: dict[str, Any], tmp_path: Path, recorded: Any
) -> None:
    listener = recorded()
    result = cross_validate(
        shapes, tmp_path / "run", folds=2, epochs=1, group="..(.)", progress=listener, **quick
    )
    text = "\n".join(listener.lines)
    assert "train (12) and val (4) are put together and divided anew: 16 images" in text
    assert "test (4 images) stays out of all folds" in text
    first, second = (
        {Path(name).stem[-1] for name in training_data_options(run).val_images}
        for run in result.runs
    )
    assert first
    assert second
    assert not first & second


def test_a_start_that_has_learned_from_the_data_is_named(
    shapes: Path, quick: dict[str, Any], tmp_path: Path, trained: Path, recorded: Any
) -> None:
    listener = recorded()
    config, reading = split_options(None, {**quick, "start": str(trained)})
    cross_validation._make_plan(shapes, config, reading, 2, listener)
    assert any("was trained on this very data" in line for line in listener.lines)


def test_options_of_a_fold_are_those_of_its_run(trained_folds: CrossValidation) -> None:
    record = json.loads((trained_folds.runs[0] / "run.json").read_text())
    reading = DataOptions(**record["reading"])
    assert reading.val_images == training_data_options(trained_folds.runs[0]).val_images


def test_images_of_overlapping_classes_are_scored_by_the_fold_that_held_them_out(
    overlapping: Path, quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_out_pictures(monkeypatch)
    folds = tmp_path / "folds"
    result = pixelwise.cross_validate(
        overlapping, folds, folds=2, multilabel=True, epochs=1, **quick
    )
    assert isinstance(result.evaluation, LayerEvaluation)
    (one, other) = result.folds
    assert one.images + other.images == len(result.evaluation.counts) == 12
    held_out = read_header(folds / "fold1").reading["val_images"]
    alone = load(folds / "fold1", layers=True)
    dataset = open_dataset(overlapping, DataOptions(multilabel=True), layers=True)
    models = hold_out_images(load(folds, layers=True), dataset)
    assert isinstance(models, LayerPredictor)
    assert isinstance(alone, LayerPredictor)
    photo = overlapping / held_out[0]
    assert (models.predict_layers(photo).layers == alone.predict_layers(photo).layers).all()
    assert not (folds / "suspects").exists()
