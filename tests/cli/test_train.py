import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def test_train_evaluate_predict_on_a_folder(
    pixelwise: Any, shapes: Path, tmp_path: Path, refused: Any
) -> None:
    run = tmp_path / "run"
    options = [
        "--decoder",
        "fcn32s",
        "--encoder",
        "resnet10t",
        "--weights",
        "none",
        "--epochs",
        1,
        "--crop",
        32,
        32,
    ]
    trained = pixelwise(
        "train", shapes, "--out", run, *options, "--precision", "float32", "--batch", 4
    )
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.splitlines()[0].startswith(f"{run / 'model.safetensors'}  validation")
    assert "epoch 1" in trained.stderr
    assert "backward" not in trained.stderr
    lines = trained.stderr.splitlines()
    assert lines[0] == f"run folder: {run}"
    headings = [line for line in lines if line and not line.startswith((" ", "run", "Next"))]
    assert headings == ["Data", "Chosen, and why", "Training", "Result"]
    assert lines[-3] == f"Next: pixelwise predict {run} photo.jpg" or "label" in lines[-3]
    assert f"pixelwise evaluate {run} {shapes}" in trained.stderr
    written = [
        "--json",
        tmp_path / "scores.json",
        "--report",
        tmp_path / "report",
        "--calibrated",
        tmp_path / "c.safetensors",
        *("--tta", "--scale", 1, "--scale", 0.75),
    ]
    scored = pixelwise("evaluate", run, shapes, *written)
    assert scored.returncode == 0, scored.stderr
    assert "mean IoU" in scored.stdout
    assert "at temperature" in scored.stdout
    assert all(path.is_file() for path in (tmp_path / "scores.json", tmp_path / "c.safetensors"))
    assert str(run) in (tmp_path / "report/report.html").read_text()
    assert "boundary IoU" in (run / "report.html").read_text()
    predicted = pixelwise(
        "predict", run, shapes / "images/test", "--out", tmp_path / "masks", "--overlay"
    )
    assert predicted.returncode == 0, predicted.stderr
    assert len(list((tmp_path / "masks").glob("*_overlay.jpg"))) == 4
    assert "run" in pixelwise("models", tmp_path).stdout
    refused(pixelwise("train", shapes, "--out", run), "--resume")


def test_without_out_the_next_number_is_trained(
    pixelwise: Any, shapes: Path, tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(pixelwise("train", "absent"), "absent: no such folder")
    assert not (tmp_path / "runs").exists()
    (tmp_path / "runs/1").mkdir(parents=True)
    refused(pixelwise("train", shapes, "--resume"), "--resume goes on with a run", "runs/1")
    quick = ["--decoder", "fcn32s", "--encoder", "resnet10t", "--weights", "none", "--epochs", 1]
    quick += ["--crop", 32, 32, "--precision", "float32", "--batch", 4]
    done = pixelwise("train", shapes, *quick)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("run folder: runs/2\n")
    assert (tmp_path / "runs/2/model.safetensors").is_file()


def test_broken_data_points_to_check(
    pixelwise: Any, shapes: Path, tmp_path: Path, refused: Any
) -> None:
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    image = next((data / "images/train").iterdir())
    image.write_bytes(b"")
    run = tmp_path / "run"
    refused(pixelwise("train", data, "--out", run), image.name, f"`pixelwise check {data}`")


def test_bad_data_is_refused_in_one_line(
    pixelwise: Any, shapes: Path, tmp_path: Path, refused: Any
) -> None:
    refused(pixelwise("train", tmp_path / "absent", "--out", tmp_path / "run"), "absent")
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    mask = next((data / "masks/train").iterdir())
    wrong = np.asarray(Image.open(mask)).copy()
    wrong[7, 9] = 77
    Image.fromarray(wrong).save(mask)
    refused(pixelwise("train", data, "--out", tmp_path / "run"), mask.name, "77", "7", "9")
    mask.unlink()
    refused(
        pixelwise("train", data, "--out", tmp_path / "run"),
        mask.stem,
        "without mask",
        "--skip-unpaired",
    )
    assert not (tmp_path / "run").exists()


def test_a_truncated_image_is_left_out_only_when_asked_to(
    pixelwise: Any, shapes: Path, tmp_path: Path, refused: Any
) -> None:
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    image = next((data / "images/train").iterdir())
    image.write_bytes(image.read_bytes()[:500])
    options = [
        "--decoder",
        "fcn32s",
        "--encoder",
        "resnet10t",
        "--weights",
        "none",
        "--epochs",
        1,
        "--crop",
        32,
        32,
    ]
    refused(
        pixelwise("train", data, "--out", tmp_path / "run", *options), image.name, "--skip-broken"
    )
    found = pixelwise(
        "train",
        data,
        "--out",
        tmp_path / "run",
        *options,
        "--skip-broken",
        "--precision",
        "float32",
    )
    assert found.returncode == 0, found.stderr
    assert image.name in found.stderr
    image = next((data / "images/test").iterdir())
    image.write_bytes(image.read_bytes()[:500])
    refused(pixelwise("evaluate", tmp_path / "run", data), image.name, "--skip-broken")
    found = pixelwise("evaluate", tmp_path / "run", data, "--skip-broken")
    assert found.returncode == 0, found.stderr
    assert f"left out: {image}" in found.stderr.replace("\n", "")
