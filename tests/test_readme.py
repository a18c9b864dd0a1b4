"""A newcomer types what the README and the guides say, and it works."""

import json
import re
import runpy
import shutil
from pathlib import Path

import pytest
import torch
from torchvision.models import get_model
from typer.main import get_command

import pixelwise
from pixelwise.cli.main import app

from .pages import (
    GUIDES,
    OTHER_CLASSES,
    ROOT,
    ask_server,
    blocks,
    call,
    commands,
    first_words,
    read,
    run_python,
    shortened,
)

PAGES = ("README.md", *(f"docs/{name}.md" for name in ("training", "predicting", "learning")))
PAGES += tuple(f"docs/{name}.md" for name in ("formats", "scores", "export", "serving", "style"))
PAGES += ("docs/other-models.md",)
COURSE = tuple(
    f"docs/course/{name}.md"
    for name in ("course", "segmentation", "transposed-convolution", "fcn", "unet-linknet")
)
COURSE += ("docs/course/course-style.md", "docs/course/exercises.md")
PAGES += COURSE
COURSE += ("docs/course/errata.md", "docs/course/applications.md")
FIND_LINKS = runpy.run_path(str(ROOT / "docs/site/links.py"))["find_links"]


def links(page: str) -> list[str]:
    return list(FIND_LINKS(read(page)))


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_and_the_python_of_a_page_work(
    page: str,
    page_desk: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for run in ("runs/first", "runs/second"):
        if run in read(page) and not re.search(rf'(train.*--out |"data", "){run}', read(page)):
            shutil.copytree(request.getfixturevalue("trained_run"), page_desk / run)
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
            assert (page_desk / words[words.index(option) + 1]).exists(), line
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


THEORY = {"docs/convolution.md": 8, "docs/course/errata.md": 3}


@pytest.mark.parametrize(("page", "asserts"), THEORY.items())
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


# Pages whose blocks tests of their own run.
ELSEWHERE = {
    "docs/volumes.md": "test_guides.py",
    "docs/course/applications.md": "test_guides.py",
    "docs/film.md": "inference/test_predict_film.py",
    "docs/own-loop.md": "training/test_labelled_images.py",
}


def test_the_blocks_of_every_page_are_run() -> None:
    paths = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    pages = {path.relative_to(ROOT).as_posix() for path in paths if ".zh" not in path.name}
    typed = {page for page in pages if commands(page) or blocks(page, "python")}
    assert typed == {*PAGES, *THEORY, *(f"docs/{name}.md" for name in GUIDES), *ELSEWHERE}
    for page, test in ELSEWHERE.items():
        assert Path(page).name in (ROOT / "tests" / test).read_text(encoding="utf-8"), page
