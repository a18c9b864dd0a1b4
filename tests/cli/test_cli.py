"""The command line as a user meets it: exit status, one line, and the right stream."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.cli.main import main
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter

NAMES = ("background", "circle", "square", "triangle")


@dataclass(frozen=True)
class Finished:
    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Finished]


@pytest.fixture
def pixelwise(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The console script's own entry point, in this process."""

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["pixelwise", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Finished(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    config = ModelConfig("fcn32s", "resnet10t", 4)
    save_model(path, build_segmenter(config), Header(config, Classes.named(NAMES)))
    return path


def refused(found: Finished, *words: str) -> None:
    last = found.stderr.splitlines()[-1]
    assert found.returncode == 2, found.stderr
    assert found.stdout == ""
    assert last.startswith("pixelwise: ")
    assert found.stderr.count("pixelwise: ") == 1
    assert all(word in last for word in words), found.stderr


def test_help_and_the_package_import_nothing_heavy() -> None:
    script = (
        "import sys, pixelwise, pixelwise.cli.main as m\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(m.app, ['--help']).exit_code == 0\n"
        "assert not {'torch', 'timm', 'torchvision', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_train_evaluate_predict_on_a_folder(
    pixelwise: Command, shapes: Path, tmp_path: Path
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
    assert "model.safetensors" in trained.stdout
    assert "epoch 1" in trained.stderr
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


def test_a_partly_failed_prediction_exits_with_1(
    pixelwise: Command, model: Path, photo: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"")
    found = pixelwise("predict", model, photo, broken, "--out", tmp_path / "out")
    assert found.returncode == 1
    assert "broken.jpg" in found.stderr
    assert "empty" in found.stderr
    assert (tmp_path / "out/photo.png").is_file()


def test_bad_data_is_refused_in_one_line(pixelwise: Command, shapes: Path, tmp_path: Path) -> None:
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
    pixelwise: Command, shapes: Path, tmp_path: Path
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


def test_bad_models_and_options_are_refused_in_one_line(
    pixelwise: Command, shapes: Path, photo: Path, tmp_path: Path
) -> None:
    refused(
        pixelwise("predict", tmp_path / "no.safetensors", photo, "--out", tmp_path / "out"),
        "no such file",
    )
    pickle = tmp_path / "model.pt"
    pickle.write_bytes(b"PK\x03\x04")
    refused(pixelwise("predict", pickle, photo, "--out", tmp_path / "out"), "pickle")
    refused(
        pixelwise("train", shapes, "--out", tmp_path / "run", "--decoder", "unett"),
        "did you mean 'unet'",
    )
    refused(pixelwise("train", shapes, "--out", tmp_path / "run", "--format", "cocoa"), "format")


def test_the_installed_command_ends_with_the_status_and_no_traceback(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pixelwise",
        "evaluate",
        str(tmp_path / "a"),
        str(tmp_path / "b"),
    ]
    found = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    refused(Finished(found.returncode, found.stdout, found.stderr), "no such file")
    assert "Traceback" not in found.stderr


def test_ctrl_c_ends_with_status_1_and_one_line(
    pixelwise: Command, model: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pixelwise.inference.predictor.Predictor.predict", interrupted)
    found = pixelwise("predict", model, photo, "--out", tmp_path / "out")
    assert found.returncode == 1
    assert (
        found.stderr.splitlines()[-1] == "pixelwise: interrupted; what was written before is kept"
    )


def test_check_tells_errors_by_its_status_and_mends_a_copy(
    pixelwise: Command, shapes: Path, tmp_path: Path
) -> None:
    assert pixelwise("check", shapes).returncode == 0
    shutil.copytree(shapes, tmp_path / "set")
    (tmp_path / "set/masks/train/000.png").write_bytes(b"")
    found = pixelwise(
        "check",
        tmp_path / "set",
        "--json",
        tmp_path / "found.json",
        "--report",
        tmp_path / "page.html",
    )
    assert found.returncode == 1
    assert "mask-unreadable" in found.stdout
    assert "masks/train/000.png: cannot be read as an image (the file is empty)" in found.stdout
    assert (tmp_path / "page.html").stat().st_size > 1000
    mended = pixelwise("check", tmp_path / "set", "--fix", tmp_path / "mended")
    assert mended.returncode == 1
    assert "1 files were left out" in mended.stderr
    assert pixelwise("check", tmp_path / "mended").returncode == 0


def test_check_refuses_what_is_no_data_set_in_one_line(pixelwise: Command, tmp_path: Path) -> None:
    refused(pixelwise("check", tmp_path / "none"), "no such folder")
    refused(pixelwise("check", tmp_path, "--format", "tiff"), "unknown format 'tiff'")


def test_two_models_are_compared_and_a_json_and_a_page_written(
    pixelwise: Command, model: Path, shapes: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    shutil.copy(model, other)
    report = tmp_path / "report"
    figures = tmp_path / "compared.json"
    found = pixelwise(
        "compare", model, other, "--data", shapes, "--report", report, "--json", figures
    )
    assert found.returncode == 0, found.stderr
    assert "m.safetensors is above other.safetensors by 0.0 points of mean IoU" in found.stdout
    assert "not shown" in found.stdout
    assert figures.read_text() == (report / "compare.json").read_text()
    refused(pixelwise("compare", model, "--data", shapes), "two or more")
    refused(pixelwise("compare", model, other), "--data")


def test_suspects_are_listed_handed_over_and_converted_back(
    pixelwise: Command, model: Path, shapes: Path, tmp_path: Path
) -> None:
    found = pixelwise(
        "suspects",
        model,
        shapes,
        "--out",
        tmp_path / "s",
        "--split",
        "test",
        "--top",
        5,
        "--to",
        "cvat",
    )
    assert found.returncode == 0, found.stderr
    rows = (tmp_path / "s/suspects.csv").read_text().splitlines()
    assert f"{len(rows) - 1:,} regions in" in found.stdout
    assert len(list((tmp_path / "s/crops").iterdir())) == min(5, len(rows) - 1) > 0
    back = pixelwise("convert", tmp_path / "s/cvat", tmp_path / "back", "--to", "folder")
    assert back.returncode == 0, back.stderr
    for mask in (tmp_path / "back/masks/test").iterdir():
        before = np.asarray(Image.open(shapes / "masks/test" / mask.name))
        assert (np.asarray(Image.open(mask)) == before).all()
    refused(
        pixelwise("suspects", model, shapes, "--out", tmp_path / "s", "--to", "cvat"),
        "may hold corrections",
    )
