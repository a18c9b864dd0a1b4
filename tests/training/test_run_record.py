import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import pixelwise
from pixelwise.datasets.options import DataOptions
from pixelwise.errors import ConfigError, PixelwiseError, TrainingError
from pixelwise.progress import Progress
from pixelwise.training import plan
from pixelwise.training.config import TrainConfig
from pixelwise.training.run_record import restore_options


def test_a_resumed_run_draws_what_a_killed_process_left_undrawn(
    drawn: None, shapes: Path, tmp_path: Path, trained: Path
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    pictures = [tmp_path / "run" / name for name in ("samples.png", "curves.png")]
    before = [picture.read_bytes() for picture in pictures]
    pictures[0].unlink()
    pictures[1].write_bytes(b"older")
    os.utime(pictures[1], (0, 0))
    pixelwise.train(shapes, tmp_path / "run", resume=True)
    assert [picture.read_bytes() for picture in pictures] == before


def test_a_resumed_run_reads_its_data_as_before(
    real_data: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    for name in ("training", "testing"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for path in sorted((real_data / "portraits" / name).iterdir())[:12]:
            (tmp_path / "data" / name / path.name).symlink_to(path)
    pixelwise.train(tmp_path / "data", tmp_path / "run", epochs=1, matte_threshold=128, **quick)
    pixelwise.train(tmp_path / "data", tmp_path / "run", epochs=2, resume=True)
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["reading"]["matte_threshold"] == 128


def test_resuming_with_other_data_is_refused(shapes: Path, tmp_path: Path, trained: Path) -> None:
    from pixelwise.datasets.synthetic import write_shapes

    shutil.copytree(trained, tmp_path / "run")
    write_shapes(tmp_path / "other", train=12, val=4, test=4, size=(64, 96), seed=4)
    with pytest.raises(ConfigError, match="other data"):
        pixelwise.train(tmp_path / "other", tmp_path / "run", resume=True)


def test_a_resumed_run_keeps_its_devices_and_says_what_it_leaves_aside(
    shapes: Path, tmp_path: Path, listener: Any, trained: Path
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    before = json.loads((tmp_path / "run/run.json").read_text())
    pixelwise.train(
        shapes, tmp_path / "run", epochs=2, resume=True, devices=2, batch=6, progress=listener
    )
    assert any("ignored: batch, devices" in line for line in listener.lines)
    after = json.loads((tmp_path / "run/run.json").read_text())
    assert after["config"]["devices"] == 1
    assert after["config"]["batch"] == 4
    assert (after["reasons"], after["started"]) == (before["reasons"], before["started"])


def test_a_resumed_run_says_of_the_reading_and_the_recipe_that_they_are_left_aside(
    shapes: Path, tmp_path: Path, listener: Any, trained: Path
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    given: dict[str, Any] = {"recipe": "d2l", "skip_unpaired": True, "epochs": 2, "cache": 1}
    pixelwise.train(shapes, tmp_path / "run", resume=True, progress=listener, **given)
    assert "resumed as it was begun; ignored: recipe, skip_unpaired" in listener.lines
    after = json.loads((tmp_path / "run/run.json").read_text())
    assert (after["config"]["recipe"], after["config"]["cache"]) == ("default", 1), (
        "a cache changes no weights"
    )


def test_without_a_finished_epoch_a_run_is_resumed_with_what_is_given(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    listener: Any,
    hungry: Any,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(plan, "make_loss", lambda *_, **__: hungry)
        with pytest.raises(TrainingError, match=r"choose a smaller --batch"):
            pixelwise.train(shapes, tmp_path / "run", epochs=1, **{**quick, "crop": None})
    pixelwise.train(
        shapes, tmp_path / "run", resume=True, progress=listener, batch=2, crop=(32, 64)
    )
    after = json.loads((tmp_path / "run/run.json").read_text())
    assert (after["config"]["batch"], after["config"]["crop"], after["config"]["decoder"]) == (
        2,
        [32, 64],
        "fcn32s",
    )
    assert "crop" not in after["reasons"]
    assert "cache" in after["reasons"]
    assert not any("ignored" in line for line in listener.lines)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", b"{"),
        ("run.json", b"[]"),
        ("state/last.pt", b"\x80\x02.."),
        ("state/last.pt", b"<html>"),
        ("history.csv", None),
    ],
)
def test_a_damaged_run_folder_is_named(
    shapes: Path, tmp_path: Path, file: str, content: bytes | None, trained: Path
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    path = tmp_path / "run" / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(PixelwiseError, match=r"damaged|cannot be resumed"):
        pixelwise.train(shapes, tmp_path / "run", epochs=2, resume=True)


def test_a_run_of_an_earlier_version_can_be_resumed(tmp_path: Path) -> None:
    """run_0.1.0.json was written before the options were grouped, when the recipe d2l was `book`."""
    shutil.copy(Path(__file__).with_name("run_0.1.0.json"), tmp_path / "run.json")
    before = json.loads((tmp_path / "run.json").read_text())["config"]
    config, reading = restore_options(tmp_path, TrainConfig(), DataOptions(), Progress())
    after = json.loads(json.dumps(config.flat()))
    as_then = {
        "size": None,
        "unlabelled": None,
        "rounds": None,
        "teacher": [],
        "teacher_weight": 1.0,
        "ema_share": 0.0,
        "bn_batches": 0,
        "validate_every": 1,
        "keep_after": 0.0,
        "frozen": False,
        "frozen_views": 0,
        "frozen_stages": 0,
        "one_size": False,
        "final_norm": False,
        "bands": None,
        "value_range": "percentile",
        "tree_weight": 0.0,
        "mlflow": False,
        "wandb": False,
    }
    assert after == {**before, **as_then, "recipe": "d2l"}
    assert reading == DataOptions()


def test_a_run_with_unknown_options_is_refused(tmp_path: Path) -> None:
    record = json.loads(Path(__file__).with_name("run_0.1.0.json").read_text())
    record["config"]["momentum"] = 0.9
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=r"whose options differ \(unknown: momentum\)"):
        restore_options(tmp_path, TrainConfig(), DataOptions(), Progress())
