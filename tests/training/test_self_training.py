import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import pixelwise
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.errors import ConfigError
from pixelwise.training import self_training
from pixelwise.training.history import read_history


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    write_shapes(folder / "set", train=12, val=1, test=1, size=(64, 80), seed=9)
    shutil.copytree(folder / "set/images/train", folder / "photos")
    return folder / "photos"


@pytest.fixture
def short(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of a training whose rounds label few images, and keep all of their pixels."""
    monkeypatch.setattr(self_training, "FEWEST", 6)
    monkeypatch.setattr("pixelwise.training.pseudo_labels.HIGHEST", 0)
    return {**quick, "epochs": 2}


def record_of(run: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((run / "run.json").read_text())
    return record


def test_a_run_with_a_pool_is_the_best_of_its_stages(
    shapes: Path, pool: Path, tmp_path: Path, short: dict[str, Any], listener: Any
) -> None:
    run = tmp_path / "run"
    found = pixelwise.train(shapes, run, unlabelled=str(pool), progress=listener, **short)
    record = record_of(run)
    supervised, first = record["self_training"]
    assert supervised["stage"] == "supervised"
    assert first["images"] >= 4
    kept = "round1" if first["kept"] else "supervised"
    assert first["kept"] == (first["gain"][0] > 0)
    same = (run / kept / "model.safetensors").read_bytes()
    assert (run / "model.safetensors").read_bytes() == same
    assert read_history(run / "history.csv") == read_history(run / kept / "history.csv")
    assert found.path == run
    assert record["config"]["unlabelled"] == str(pool)
    assert any("points of validation mean IoU" in line for line in listener.lines)
    assert pixelwise.load(run).classes.names == ("background", "circle", "square", "triangle")


def test_the_supervised_model_stays_where_a_round_is_worse(
    shapes: Path,
    pool: Path,
    tmp_path: Path,
    short: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(self_training._Stages, "_compare", lambda *_: False)
    run = tmp_path / "run"
    pixelwise.train(shapes, run, unlabelled=str(pool), rounds=3, **short)
    supervised = (run / "supervised/model.safetensors").read_bytes()
    assert (run / "model.safetensors").read_bytes() == supervised
    assert not (run / "round2").exists()


def test_a_run_that_ended_between_stages_goes_on(
    shapes: Path,
    pool: Path,
    tmp_path: Path,
    short: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    train_stage = self_training.train_worker
    stages: list[str] = []

    def dying(data: Path, folder: Path, *arguments: Any, **options: Any) -> Any:
        stages.append(folder.name)
        if len(stages) == 2:
            raise SystemExit("killed")
        return train_stage(data, folder, *arguments, **options)

    monkeypatch.setattr(self_training, "train_worker", dying)
    with pytest.raises(SystemExit):
        pixelwise.train(shapes, run, unlabelled=str(pool), **short)
    # what was done is a model already
    assert pixelwise.load(run)
    masks = {path.name: path.stat().st_mtime_ns for path in (run / "pseudo_labels1").iterdir()}
    pixelwise.train(shapes, run, resume=True)
    assert stages == ["supervised", "round1", "round1"]
    assert masks == {
        path.name: path.stat().st_mtime_ns for path in (run / "pseudo_labels1").iterdir()
    }
    assert len(record_of(run)["self_training"]) == 2


def test_a_teacher_labels_the_pool(
    trained: Path, shapes: Path, pool: Path, tmp_path: Path, short: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    pixelwise.train(shapes, run, unlabelled=str(pool), teacher=(str(trained),), **short)
    (only,) = record_of(run)["self_training"]
    assert only["images"] == 9  # two thirds of the 12 photos, and one for the rest
    assert not (run / "supervised").exists()
    assert (run / "model.safetensors").read_bytes() == (
        run / "round1/model.safetensors"
    ).read_bytes()


def test_too_few_minutes_for_a_round_keep_the_supervised_model(
    shapes: Path, pool: Path, tmp_path: Path, short: dict[str, Any], listener: Any
) -> None:
    stages = self_training._Stages(
        shapes,
        tmp_path,
        pixelwise.TrainConfig.from_flat(minutes=1.0, unlabelled=str(pool)),
        *(None, None, None),  # type: ignore[arg-type]
        started=0.0,
        progress=listener,
    )
    assert not stages._has_time(1)
    assert "too few for a round" in listener.lines[-1]


def test_a_pool_without_images_or_with_processes_is_refused(
    shapes: Path, pool: Path, tmp_path: Path, short: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="missing: there is no such file or folder"):
        pixelwise.train(shapes, tmp_path / "a", unlabelled=str(tmp_path / "missing"), **short)
    with pytest.raises(ConfigError, match="self-training runs in one"):
        pixelwise.train(shapes, tmp_path / "b", unlabelled=str(pool), devices=2, **short)


def test_a_pool_of_the_sets_own_images_changes_nothing(
    shapes: Path, tmp_path: Path, short: dict[str, Any], listener: Any
) -> None:
    run = tmp_path / "run"
    images = str(shapes / "images/val")
    pixelwise.train(shapes, run, unlabelled=images, progress=listener, **short)
    assert any("sure of no image" in line for line in listener.lines)
    assert not (run / "round1").exists()
    assert (run / "model.safetensors").is_file()
