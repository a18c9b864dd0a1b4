import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pixelwise as package
from pixelwise.cli.main import app


def test_help_and_the_package_import_nothing_heavy() -> None:
    script = (
        "import sys, pixelwise, pixelwise.cli.main as m\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(m.app, ['--help']).exit_code == 0\n"
        "assert not {'torch', 'timm', 'torchvision', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_bad_models_and_options_are_refused_in_one_line(
    pixelwise: Any, shapes: Path, photo: Path, tmp_path: Path, refused: Any
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


def test_the_installed_command_ends_with_the_status_and_no_traceback(
    tmp_path: Path, refused: Any
) -> None:
    command = [
        sys.executable,
        "-m",
        "pixelwise",
        "predict",
        str(tmp_path / "a"),
        str(tmp_path / "b"),
    ]
    found = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    refused(found, "no such file")
    assert "Traceback" not in found.stderr


def test_ctrl_c_ends_with_status_1_and_one_line(
    pixelwise: Any, model: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pixelwise.inference.predictor.Predictor.predict", interrupted)
    found = pixelwise("predict", model, photo, "--out", tmp_path / "out")
    assert found.returncode == 1
    assert (
        found.stderr.splitlines()[-1] == "pixelwise: interrupted; what was written before is kept"
    )


@pytest.mark.parametrize("words", [[], ["--help"], ["explain"]])
def test_help_is_printed_without_a_traceback(pixelwise: Any, words: list[str]) -> None:
    result = pixelwise(*words)
    assert result.returncode == (0 if words == ["--help"] else 2)
    assert "Usage" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_bare_help_shows_groups_and_three_examples(
    pixelwise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = pixelwise("-h").stdout
    assert all(panel in text for panel in ("Start here", "Data", "Models", "Use a model"))
    lines = [line.strip() for line in text.splitlines()]
    start = lines.index("Examples:")
    assert lines[start + 1 : start + 4] == [
        "pixelwise predict animals photo.jpg --overlay",
        "pixelwise train data",
        "pixelwise predict runs/1 photos",
    ]
    # A line of a docstring is no line of the terminal.
    joined = " ".join(text.replace("│", " ").split())
    assert "predict on a generated data set, in about three minutes." in joined
    assert "│           minutes." not in text


def test_h_is_help_of_every_command(pixelwise: Any) -> None:
    for words in (["train"], ["predict"], ["explain"], ["explain", "transposed"]):
        result = pixelwise(*words, "-h")
        assert result.returncode == 0
        assert "--help" in result.stdout
        assert "<bool>" not in result.stdout  # --help itself is a flag


def test_the_version_is_printed(pixelwise: Any) -> None:
    for option in ("--version", "-V"):
        assert pixelwise(option).stdout == f"pixelwise {package.__version__}\n"


def test_every_command_shows_an_example(pixelwise: Any) -> None:
    for command in app.registered_commands:
        assert f"Example: pixelwise {command.name} " in pixelwise(command.name, "--help").stdout


def test_an_error_that_is_not_ours_ends_with_status_1_and_its_traceback() -> None:
    script = (
        "import sys, pixelwise.api\n"
        "from pixelwise.cli.main import script\n"
        "pixelwise.api.list_models = None\n"
        "sys.argv = ['pixelwise', 'models']\n"
        "script()"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 1
    assert "TypeError" in result.stderr


def test_packages_that_do_not_fit_are_told_in_one_line_by_every_command(
    pixelwise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("pixelwise.cli.main.app", fail)
    done = pixelwise("models")
    assert done.returncode == 2
    assert done.stderr.startswith("pixelwise: the installation is at fault, not your files")
    assert "Traceback" not in done.stderr
