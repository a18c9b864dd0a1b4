"""A newcomer types what the README says, and it works."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from pixelwise.cli.main import main
from pixelwise.serving.client import Client

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = {
    "train",
    "check",
    "convert",
    "evaluate",
    "compare",
    "suspects",
    "predict",
    "export",
    "explain",
    "stylize",
    "serve",
    "label",
}
SMALL = ["--size", "192", "256", "--steps", "2", "--network", "tf_efficientnet_lite0"]
QUICK = ["--epochs", "1", "--crop", "32", "32", "--precision", "float32"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def desk(shapes: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(shapes, tmp_path / "data")
    with Image.open(photo) as picture:
        larger = picture.resize((140, 96))
    for name in ("photo.jpg", "painting.jpg"):  # style needs more pixels than the small photo has
        larger.save(tmp_path / name)
    (tmp_path / "photos").mkdir()
    shutil.copy(photo, tmp_path / "photos")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_readme_work(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [
        line
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith("pixelwise ")
    ]
    assert {shlex.split(line)[1] for line in commands} == COMMANDS
    for line in commands:
        words = shlex.split(line)
        if words[1] == "serve":
            ask_server(words)
            continue
        if words[1] == "label":
            open_label_page(words)
            continue
        words += QUICK if " train " in line else SMALL if " stylize " in line else []
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code, line
    listed = set(re.findall(r"`([\w.]+\.(?:safetensors|json|csv|png|html))`", README))
    assert {"steps.png", "checkerboard.png", "augmentation.png", "scores.png"} <= {
        p.name for p in desk.iterdir()
    }
    assert {name for name in listed if not name.startswith(".")} <= {
        p.name for p in desk.rglob("*")
    } | {"x_matte.png"}
    assert (desk / "masks/photo_overlay.jpg").is_file()


def ask_server(words: list[str]) -> None:
    command = [sys.executable, "-m", *words, "--port", "0", "--runtime", "torch"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = next(line for line in process.stderr if line.startswith("serving "))
            assert Client(said.split(" on ")[1].split(";")[0]).labels("photo.jpg").shape == (
                96,
                140,
            )
            process.terminate()
            process.stderr.read()
        finally:
            process.kill()
    assert process.returncode == 0


def open_label_page(words: list[str]) -> None:
    command = [sys.executable, "-m", *words, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = next(line for line in process.stderr if line.startswith("labelling on "))
            address = line.removeprefix("labelling on ").split(";")[0]
            with urlopen(f"{address}label/state", timeout=60) as answer:
                state = json.load(answer)
            process.terminate()
            process.stderr.read()
        finally:
            process.kill()
    assert [entry["name"] for entry in state["classes"]] == ["road", "car", "sky"]
    assert len(state["photos"]) == 1
    assert process.returncode == 0


def test_the_python_of_the_readme_works(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "\n".join(blocks("python")).replace(
        "epochs=2)", 'epochs=1, crop=(32, 32), precision="float32")'
    )
    exec(compile(code, "README.md", "exec"), {})
    assert (desk / "overlay.jpg").is_file()


def test_the_python_of_the_theory_works() -> None:
    text = (Path(__file__).parents[1] / "docs/convolution.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    assert code.count("assert ") >= 8
    exec(compile(code, "docs/convolution.md", "exec"), {})


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_changelog_names_the_packages_version() -> None:
    import pixelwise

    changelog = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {pixelwise.__version__} " in changelog
