"""A newcomer types what the README and the guides say, and it works."""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import get_model
from typer.main import get_command

import pixelwise
from pixelwise.cli.main import app, main
from pixelwise.serving.client import Client

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", *(f"docs/{name}.md" for name in ("training", "predicting", "learning")))
PAGES += tuple(f"docs/{name}.md" for name in ("formats", "scores", "export", "serving", "style"))
PAGES += ("docs/other-models.md",)
COURSE = tuple(
    f"docs/course/{name}.md"
    for name in ("course", "segmentation", "transposed-convolution", "fcn", "unet-linknet")
)
COURSE += ("docs/course/course-style.md", "docs/course/exercises.md", "docs/course/errata.md")
# Those of the course that have commands.
PAGES += COURSE[:-1]
FIND_LINKS = runpy.run_path(str(ROOT / "docs/site/links.py"))["find_links"]

# The photos of the README's sessions show these, the test's data others.
OTHER_CLASSES = ("person",)
SAME_CLASSES = {
    "--largest person": "--largest circle",
    "=car,bus,truck": "=circle",
    "=pedestrian": "=square",
    "--drop sky": "--drop triangle",
}

QUICK = ["--epochs", "1", "--crop", "32", "32", "--precision", "float32"]
SMALL = ["--size", "64", "96", "--steps", "2", "--network", "tf_efficientnet_lite0"]
ADDRESS = re.compile("(?:serving|labelling).* on ([^;]+);")


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", read(page), re.DOTALL)


def commands(page: str) -> list[str]:
    lines = "\n".join(re.findall(r"```(?:sh|console)\n(.*?)```", read(page), re.DOTALL))
    listed = re.findall(r"^(?:\$ )?(pixelwise .*)$", lines, re.MULTILINE)
    outside = re.compile("hf://|pixelwise data ")  # tests reach no network
    return [line for line in listed if not outside.search(line)]


def links(page: str) -> list[str]:
    return list(FIND_LINKS(read(page)))


def shortened(page: str, line: str) -> list[str]:
    """The words of a command with the test's data and as little work as will do: a training whose
    run no other line names is only planned.
    """
    for theirs, ours in SAME_CLASSES.items():
        line = line.replace(theirs, ours)
    words = shlex.split(line)
    if "train" in words[1:2]:
        if "--minutes" in words:
            start = words.index("--minutes")
            del words[start : start + 2]
        run = words[words.index("--out") + 1] if "--out" in words else "nowhere"
        words += QUICK if read(page).count(run) > 1 else [*QUICK, "--preview"]
    return words + (SMALL if "stylize" in words else [])


def call(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code, shlex.join(words)


@pytest.fixture(scope="module")
def trained(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    pixelwise.train(shapes, run, epochs=1, crop=(32, 32), precision="float32")
    return run


@pytest.fixture
def desk(shapes: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(shapes, tmp_path / "data")
    with Image.open(photo) as picture:
        larger = picture.resize((140, 96))
    for name in ("photo.jpg", "painting.jpg", "survey.tif"):
        larger.save(tmp_path / name)  # style needs more pixels than the small photo has
    larger.convert("L").save(tmp_path / "photo_matte.png")
    (tmp_path / "photos").mkdir()
    shutil.copy(photo, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_and_the_python_of_a_page_work(
    page: str,
    desk: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for run in ("runs/first", "runs/second"):
        if run in read(page) and not re.search(rf'(train.*--out |"data", "){run}', read(page)):
            shutil.copytree(request.getfixturevalue("trained"), desk / run)
    if page == "docs/other-models.md":
        write_others()
    lines = commands(page)
    assert lines
    for line in lines:
        words = shortened(page, line)
        if words[1] == "serve":
            ask_server(words)
        else:
            call(words, monkeypatch)
        for option in {"--out", "--report", "--json", "--fix", "--calibrated"} & set(words):
            assert (desk / words[words.index(option) + 1]).exists(), line
    printed = first_words("\n".join(capfd.readouterr()).splitlines())
    shown = [line for block in blocks(page, "console") for line in block.splitlines()]
    assert first_words(shown) - {"$", "...", *OTHER_CLASSES} <= printed
    if page != "docs/serving.md":  # its client needs the server, which has been asked
        run_python(page)


def write_others() -> None:
    """Models of other libraries, untrained, as the guide names them."""
    network = get_model("lraspp_mobilenet_v3_large", weights_backbone=None, num_classes=4)
    torch.save(network.state_dict(), "net.pth")
    smp = pytest.importorskip("segmentation_models_pytorch")
    smp.Unet("resnet18", encoder_weights=None, classes=4).save_pretrained("unet")
    config = json.loads(Path("unet/config.json").read_text())
    config["class_names"] = ["background", "circle", "square", "triangle"]
    Path("unet/config.json").write_text(json.dumps(config))


def first_words(lines: list[str]) -> set[str]:
    return {line.split()[0] for line in lines if line.strip()}


def run_python(page: str) -> None:
    code = "\n".join(blocks(page, "python")).replace(
        "epochs=2)", 'epochs=1, crop=(32, 32), precision="float32")'
    )
    exec(compile(code, page, "exec"), {})
    for name in re.findall(r'\.save\("(.+?)"\)', code):
        assert Path(name).is_file()


def ask_server(words: list[str]) -> None:
    state = start_and_ask([*words, "--runtime", "torch"], ask_for_labels)
    assert state == (96, 140)


def ask_for_labels(address: str) -> tuple[int, ...]:
    return Client(address).labels("photo.jpg").shape


def ask_for_state(address: str) -> dict[str, list[dict[str, str]]]:
    with urlopen(f"{address}label/state", timeout=60) as answer:
        return dict(json.load(answer))


def start_and_ask(words: list[str], ask: Callable[[str], Any]) -> Any:
    """What `ask` makes of the address that a server names, which then ends without an error."""
    command = [sys.executable, "-m", *words, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = next(filter(None, map(ADDRESS.match, process.stderr)))[1]
            answer = ask(address)
            process.terminate()
            process.stderr.read()
        finally:
            process.kill()
    assert process.returncode == 0
    return answer


def test_the_label_page_opens_as_its_guide_says(desk: Path) -> None:
    first = next(line for line in commands("docs/label.md") if " label " in line)
    state = start_and_ask(shlex.split(first), ask_for_state)
    assert [entry["name"] for entry in state["classes"]] == ["road", "car", "sky"]
    assert len(state["photos"]) == 1


def test_the_commands_of_the_page_on_volumes_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_volumes(tmp_path / "Dataset001_Liver")
    monkeypatch.chdir(tmp_path)
    small = [*QUICK, "--decoder", "fcn32s", "--encoder", "test_resnet", "--weights", "none"]
    for line in commands("docs/volumes.md"):
        words = shlex.split(line)
        call(words + small if words[1] == "train" else words, monkeypatch)
    assert {path.name for path in Path("labelled").iterdir()} >= {"scan_3.nii.gz", "volumes.csv"}


def write_volumes(root: Path) -> None:
    """Three drawn scans with a bright block as the liver, and one to label, as nnU-Net has them."""
    nibabel = pytest.importorskip("nibabel")
    pytest.importorskip("rasterio")
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (root / name).mkdir(parents=True)
    for number in range(4):
        labels = np.zeros((40, 36, 4), np.uint8)
        labels[6 + number : 20, 8:24] = 1
        values = np.random.default_rng(number).normal(200 * labels - 100, 20).astype(np.int16)
        images = root / ("imagesTs" if number == 3 else "imagesTr")
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), images / f"scan_{number}_0000.nii.gz")
        if number < 3:
            image = nibabel.Nifti1Image(labels, np.eye(4))
            nibabel.save(image, root / f"labelsTr/scan_{number}.nii.gz")
    content = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1},
        "file_ending": ".nii.gz",
        "numTraining": 3,
    }
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "asserts"), [("docs/convolution.md", 8), ("docs/course/errata.md", 3)]
)
def test_the_python_of_the_theory_works(page: str, asserts: int) -> None:
    code = "\n".join(blocks(page, "python"))
    assert code.count("assert ") >= asserts
    exec(compile(code, page, "exec"), {})


def test_the_readme_is_short() -> None:
    for page in ("README.md", "README.zh.md"):
        assert read(page).count("\n") <= 120, page


def test_every_command_is_in_the_table_of_the_readme() -> None:
    cells = re.findall(r"^\| (.*?) \|", read("README.md"), re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(cells))
    assert set(get_command(app).commands) <= set(named)  # type: ignore[attr-defined]


def as_english(page: str) -> set[str]:
    """The links of a page, in the Chinese course to its Chinese pages, as the English one has them."""
    return {link.replace(".zh.md", ".md") for link in links(page)}


@pytest.mark.parametrize("english", ["README.md", *COURSE])
def test_a_chinese_page_keeps_step(english: str) -> None:
    chinese = english.replace(".md", ".zh.md")
    levels = [re.findall(r"^#+(?= )", read(page), re.MULTILINE) for page in (english, chinese)]
    assert levels[0] == levels[1]
    assert commands(english) == commands(chinese)
    assert blocks(english, "python") == blocks(chinese, "python")
    assert blocks(english, "console") == blocks(chinese, "console")
    assert as_english(english) == as_english(chinese)
    assert read(english).count("\n| ") == read(chinese).count("\n| ")


def test_the_make_targets_of_the_readme_exist() -> None:
    for target in re.findall(r"^make (\w+)", read("README.md"), re.MULTILINE):
        assert re.search(rf"^{target}:", read("Makefile"), re.MULTILINE), target


def test_the_changelog_names_the_packages_version() -> None:
    assert f"## {pixelwise.__version__} " in read("CHANGELOG.md")


# Guides whose commands need other data than the desk's.
GUIDES = ("objects", "cutouts", "overlapping-classes")
TINY = ["--decoder", "fcn32s", "--encoder", "test_resnet", "--weights", "none"]


@pytest.fixture
def guide_desk(desk: Path) -> Path:
    """The desk with a fifth test image, as intervals of counts need, a photo of a cat, and
    portraits with their mattes.
    """
    for name in ("images/test/000.jpg", "masks/test/000.png"):
        source = desk / "data" / name
        shutil.copy(source, source.with_stem("900"))
    shutil.copy(desk / "photo.jpg", desk / "cat.jpg")
    (desk / "portraits").mkdir()
    for number in range(6):
        shutil.copy(desk / "photo.jpg", desk / f"portraits/{number}.jpg")
        shutil.copy(desk / "photo_matte.png", desk / f"portraits/{number}_matte.png")
    return desk


@pytest.mark.parametrize("name", GUIDES)
def test_the_commands_of_a_guide_with_data_of_its_own_work(
    name: str,
    guide_desk: Path,
    trained: Path,
    overlapping: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = f"docs/{name}.md"
    if name == "overlapping-classes":
        shutil.rmtree(guide_desk / "data")
        shutil.copytree(overlapping, guide_desk / "data")
    else:
        shutil.copytree(trained, guide_desk / "runs/1")
    for line in commands(page):
        words = shortened(page, line)
        if "train" in words:
            words += TINY
        shutil.rmtree("masks", ignore_errors=True)
        call(words, monkeypatch)
    run_python(page)
