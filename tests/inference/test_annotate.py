"""Masks handed to annotation tools: what other readers make of the files, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from rasterio.features import rasterize
from typer.testing import CliRunner

from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.options import WITH_POLYGONS, WRITABLE, DataOptions
from pixelwise.errors import ConfigError, OutputError
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor

CLASSES = Classes.named(("background", "disc", "hole"))
OPEN = DataOptions(hold_out=False)


def by_red(rgb: np.ndarray) -> np.ndarray:
    """Instead of a model: the class is the red channel's hundred."""
    return np.stack([rgb[:, 0] // 100 == label for label in range(3)], axis=1).astype(np.float32)


PREDICTOR = Predictor(by_red, CLASSES)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two pictures: rings with a hole and a disc in it, and nothing."""
    y, x = np.indices((60, 80))
    radius = np.hypot(y - 28, x - 40)
    labels = np.select([radius < 6, radius < 12, radius < 25], [2, 0, 1], 0).astype(np.uint8)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, values in (("a", labels), ("b", np.zeros_like(labels))):
        rgb = np.repeat(values[..., None] * 100, 3, axis=2).astype(np.uint8)
        Image.fromarray(rgb).save(folder / f"{name}.png")
    return folder


def predict(photos: Path, to: str, **options: object) -> tuple[Path, np.ndarray]:
    out = photos.with_name("out")
    choices = PredictOptions(to=to, **options)  # type: ignore[arg-type]
    done = predict_files(PREDICTOR, [photos], out, choices=choices)
    assert done.annotations[0] == f"{out / to}: train 2 images, 3 classes"
    with Image.open(out / "a.png") as mask:
        return out / to, np.asarray(mask)


@pytest.mark.parametrize("to", [name for name in WRITABLE if name != "labelstudio"])
def test_what_is_written_reads_back_as_the_masks(photos: Path, to: str) -> None:
    folder, mask = predict(
        photos, to, **({"polygon_tolerance": 0.0} if to in WITH_POLYGONS else {})
    )
    data = open_dataset(folder, OPEN)
    assert data.format == to
    assert data.classes.names == CLASSES.names
    first, second = data.pairs("train")
    np.testing.assert_array_equal(data.read_labels(first.mask), mask)
    assert not data.read_labels(second.mask).any()
    assert first.image.read_bytes() == (photos / "a.png").read_bytes()


def count_digits(folder: Path) -> int:
    suffixes = (".json", ".xml", ".txt", ".geojson")
    texts = [path.read_text() for path in folder.rglob("*") if path.suffix in suffixes]
    return sum(character.isdigit() for text in texts for character in text)


@pytest.mark.parametrize("to", WITH_POLYGONS)
def test_outlines_have_few_corners_and_their_holes(photos: Path, to: str) -> None:
    folder, mask = predict(photos, to)
    data = open_dataset(folder, OPEN)
    labels = data.read_labels(data.pairs("train")[0].mask)
    assert (labels != mask).mean() < 0.02
    assert labels[28, 40 + 9] == 0  # between the disc in the middle and the ring around it
    if to == "cvat":  # a mask for the ring, whose hole a polygon could not have
        text = (folder / "annotations.xml").read_text()
        assert (text.count("<polygon "), text.count("<mask ")) == (1, 1)
        return
    exact = photos.with_name("exact")
    choices = PredictOptions(to=to, polygon_tolerance=0.0)
    predict_files(PREDICTOR, [photos], exact, choices=choices)
    assert count_digits(folder) < 0.8 * count_digits(exact / to)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools' own
def test_pycocotools_draws_the_same_pixels(photos: Path) -> None:
    folder, mask = predict(photos, "coco", polygon_tolerance=0.0)
    coco = COCO(folder / "annotations/instances_train.json")
    drawn = np.zeros_like(mask)
    for row in coco.loadAnns(coco.getAnnIds(imgIds=[1])):
        name = coco.loadCats(row["category_id"])[0]["name"]
        drawn[coco.annToMask(row) > 0] = CLASSES.names.index(name)
    np.testing.assert_array_equal(drawn, mask)


def test_gdal_draws_the_polygons_of_geojson_with_their_holes(photos: Path) -> None:
    folder, mask = predict(photos, "geojson", polygon_tolerance=0.0)
    features = json.loads((folder / "train/a.geojson").read_text())["features"]
    shapes = [(row["geometry"], row["properties"]["label"]) for row in features]
    np.testing.assert_array_equal(rasterize(shapes, mask.shape, dtype=np.uint8), mask)


def test_label_studio_gets_predictions_that_are_no_labels_until_somebody_submits_them(
    photos: Path,
) -> None:
    folder, mask = predict(photos, "labelstudio")
    tasks = json.loads((folder / "tasks.json").read_text())
    assert tasks[0]["data"] == {"image": "/data/local-files/?d=images/train/a.png"}
    for task in tasks:  # as Label Studio exports them once they are submitted
        (prediction,) = task.pop("predictions")
        assert prediction["model_version"] == "pixelwise"
        task["annotations"] = [{"was_cancelled": False, "result": prediction["result"]}]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    data = open_dataset(folder, OPEN)
    np.testing.assert_array_equal(data.read_labels(data.pairs("train")[0].mask), mask)


def test_finished_masks_are_written_too_and_corrections_are_never_overwritten(
    photos: Path, tmp_path: Path
) -> None:
    recipe = Recipe({"model": "by_red"})
    out = tmp_path / "out"
    predict_files(PREDICTOR, [photos], out, recipe=recipe)
    choices = PredictOptions(to="labelme")
    done = predict_files(PREDICTOR, [photos], out, choices=choices, recipe=recipe)
    assert not done.written
    assert (out / "labelme/train/b.json").is_file()
    (out / "labelme/train/b.json").write_text("corrected")
    with pytest.raises(OutputError, match="labelme: exists already"):
        predict_files(PREDICTOR, [photos], out, choices=choices, recipe=recipe)
    assert (out / "labelme/train/b.json").read_text() == "corrected"


def test_pictures_of_one_name_in_two_folders_keep_apart(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, photos / "more")
    choices = PredictOptions(to="labelme")
    predict_files(PREDICTOR, [photos, photos / "more"], tmp_path / "out", choices=choices)
    names = sorted(path.name for path in (tmp_path / "out/labelme/train").glob("*.png"))
    assert names == ["a.png", "b.png", "more_a.png", "more_b.png"]


def test_options_that_cannot_be_are_refused_before_a_picture_is_read(photos: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown format to write 'labelmee'.*mean 'labelme'"):
        PredictOptions(to="labelmee")
    with pytest.raises(ConfigError, match="add --to"):
        PredictOptions(polygon_tolerance=1.0)
    with pytest.raises(ConfigError, match="labelstudio holds every pixel"):
        PredictOptions(to="labelstudio", polygon_tolerance=1.0)
    with pytest.raises(ConfigError, match="give a number of pixels"):
        PredictOptions(to="coco", polygon_tolerance=-1.0)
    choices = PredictOptions(to="coco", frames="all")
    frames = [Image.open(photos / "a.png")] * 2
    frames[0].save(photos / "scan.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ConfigError, match="one of several frames"):
        predict_files(PREDICTOR, [photos], photos.with_name("out"), choices=choices)
    assert not photos.with_name("out").exists()


def test_the_command_says_where_the_annotations_are(photos: Path, tmp_path: Path) -> None:
    call = ["predict", "animals", str(photos), "--to", "cvat", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    assert "out/cvat: train 2 images, 7 classes" in done.stdout
    assert "outlines are thinned, by at most 1 px" in done.stdout
