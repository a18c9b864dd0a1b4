"""The guides whose commands need data of their own work in the order in which they stand."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.datasets.synthetic import write_shapes

from .pages import (
    GUIDES,
    QUICK,
    ask_server,
    call,
    pieces,
    start_and_ask,
)

TINY = ["--decoder", "fcn32s", "--encoder", "test_resnet", "--weights", "none"]

# In place of what would take long, or weights that only a network or a package gives.
SHORTER = {
    "--size accurate": "",
    "--size fast --teacher": "--teacher",
    "--folds 5": "--folds 2",
    "compress runs/large --minutes 30": "compress runs/large --epochs 1",
}
# Trainings of which the plan will do, as other lines of their pages train the same way.
PLANNED = ("--skip-unpaired", "--bands 4,3,2", "--group")


@pytest.fixture(scope="module")
def tiny_run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("tiny") / "run"
    network = {"decoder": "fcn32s", "encoder": "test_resnet", "weights": "none"}
    pixelwise.train(shapes, run, epochs=1, crop=(32, 32), precision="float32", **network)
    return run


def prepare_objects(desk: Path, request: pytest.FixtureRequest) -> None:
    """A fifth test image, as intervals of counts need."""
    shutil.copytree(request.getfixturevalue("trained_run"), desk / "runs/1")
    for name in ("images/test/000.jpg", "masks/test/000.png"):
        source = desk / "data" / name
        shutil.copy(source, source.with_stem("900"))


def prepare_cutouts(desk: Path, _: pytest.FixtureRequest) -> None:
    shutil.copy(desk / "photo.jpg", desk / "cat.jpg")
    (desk / "portraits").mkdir()
    for number in range(6):
        shutil.copy(desk / "photo.jpg", desk / f"portraits/{number}.jpg")
        shutil.copy(desk / "photo_matte.png", desk / f"portraits/{number}_matte.png")


def prepare_overlapping_classes(desk: Path, request: pytest.FixtureRequest) -> None:
    shutil.rmtree(desk / "data")
    shutil.copytree(request.getfixturevalue("overlapping"), desk / "data")


def prepare_few_labels(desk: Path, request: pytest.FixtureRequest) -> None:
    write_shapes(desk / "pool", train=6, val=0, test=0, size=(64, 96), seed=9)
    shutil.move(desk / "pool/images/train", desk / "more_photos")
    shutil.copytree(desk / "data", desk / "new_masks")
    shutil.copytree(request.getfixturevalue("tiny_run"), desk / "runs/old")


def prepare_folds(desk: Path, request: pytest.FixtureRequest) -> None:
    """Images whose names begin with that of their film, and three models."""
    for path in [*desk.glob("data/images/*/*"), *desk.glob("data/masks/*/*")]:
        path.rename(path.with_stem(f"film{int(path.stem) // 2}_{path.stem}"))
    for name in ("a", "b", "c"):
        shutil.copytree(request.getfixturevalue("tiny_run"), desk / "runs" / name)


def prepare_bands(desk: Path, _: pytest.FixtureRequest) -> None:
    """Six scenes with a file a band, of 10 and 20 metres, and a scene as an array."""
    rasterio = pytest.importorskip("rasterio")
    shutil.rmtree(desk / "data")
    (desk / "data/masks").mkdir(parents=True)
    (desk / "scenes").mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        labels = np.zeros((64, 96), np.uint8)
        labels[8 + number : 40, 20:60] = 1
        Image.fromarray(labels).save(desk / f"data/masks/s{number}.png")
        for band, step in (("B04", 1), ("B03", 1), ("B08", 1), ("B11", 2)):
            values = rng.normal(500 + 1000.0 * labels[::step, ::step], 80).astype(np.uint16)
            height, width = values.shape
            with rasterio.open(
                desk / f"scenes/s{number}_{band}.tif",
                "w",
                driver="GTiff",
                height=height,
                width=width,
                count=1,
                dtype="uint16",
                crs="EPSG:32632",
                transform=rasterio.Affine(10 * step, 0, 500_000, 0, -10 * step, 5_500_000),
            ) as raster:
                raster.write(values[None])
    np.save(desk / "scene.npy", rng.uniform(0, 2000, (64, 96, 4)))


def prepare_label(desk: Path, _: pytest.FixtureRequest) -> None:
    for path in sorted((desk / "data/images/train").iterdir())[:5]:
        shutil.copy(path, desk / "photos")


PREPARE = {name: globals()[f"prepare_{name.replace('-', '_')}"] for name in GUIDES}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", GUIDES)
def test_what_a_guide_says_works_in_its_order(
    name: str,
    page_desk: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = f"docs/{name}.md"
    PREPARE[name](page_desk, request)
    run_in_order(page, monkeypatch)


def run_in_order(page: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page's Python leaves."""
    names: dict[str, Any] = {}
    for language, text in pieces(page):
        if language == "python":
            exec(compile(text, page, "exec"), names)
            continue
        shutil.rmtree("masks", ignore_errors=True)  # of another model
        words = shorter(text)
        if words[1] == "serve":
            ask_server(words)
        elif words[1] == "label":
            start_and_ask(words, paint)
        else:
            call(words, monkeypatch)
        for option in {"--out", "--report", "--json", "--groups"} & set(words):
            assert Path(words[words.index(option) + 1]).exists(), text
    return names


def shorter(line: str) -> list[str]:
    """The words of a command with as little work as will do."""
    for theirs, ours in SHORTER.items():
        line = line.replace(theirs, ours)
    words = shlex.split(line)
    if words[1] != "train":
        return words
    if "--minutes" in words:
        start = words.index("--minutes")
        del words[start : start + 2]
    words += QUICK
    if "--start" not in words:
        words += TINY
    return words + ["--preview"] * any(part in line for part in PLANNED)


def paint(address: str) -> None:
    """A stroke of each class on four photos, as a person makes them."""

    def ask(path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"{address}label/{path}", content, headers), timeout=60) as answer:
            return dict(json.load(answer))

    state = ask("state")
    keys = {entry["name"]: entry["key"] for entry in state["classes"]}  # type: ignore[attr-defined]
    assert list(keys) == ["road", "car", "sky"]
    for number in range(4):
        for row, key in zip((10, 30, 50), keys.values(), strict=True):
            stroke = {"tool": "brush", "label": key, "radius": 3, "points": [[10, row], [60, row]]}
            ask(f"photos/{number}/strokes", {"page": state["page"], **stroke})


def test_the_commands_of_the_page_on_volumes_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_volumes(tmp_path / "Dataset001_Liver")
    monkeypatch.chdir(tmp_path)
    run_in_order("docs/volumes.md", monkeypatch)
    assert {path.name for path in Path("labelled").iterdir()} >= {"scan_3.nii.gz", "volumes.csv"}


@pytest.mark.timeout(600)
def test_the_applications_of_the_course_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nibabel")
    pytest.importorskip("rasterio")
    monkeypatch.chdir(tmp_path)
    names = run_in_order("docs/course/applications.md", monkeypatch)
    assert names["labels"].shape == names["truth"].shape == (96, 96, 8)
    assert names["classes"].shape == (480, 640)
    assert Path("map/survey.geojson").stat().st_size
    # the scan's truth as it lies on the disk for training: right, front and head grow with the axes
    assert names["truth"][48:].sum() > names["truth"][:48].sum()


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
