import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError
from pixelwise.inference.label_job import Predictions
from pixelwise.inference.manifest import read_manifest
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.result_names import (
    find_root,
    possible_results,
    result_names,
    result_stem,
)
from pixelwise.io.storage import filesystem, open_store

RECIPE = Recipe({"model": "m"})
NOTHING = PredictOptions()


def brighter(rgb: np.ndarray) -> np.ndarray:
    return np.stack([rgb[:, 0] < 100, rgb[:, 0] >= 100], axis=1).astype(np.float32)


PREDICTOR = Predictor(brighter, Classes.named(("dark", "bright")))


def write_photo(path: Path, bright: int) -> Path:
    """A photo of 6 x 8 pixels of which so many are bright."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.where(np.arange(48) < bright, 200, 20).astype(np.uint8).reshape(6, 8)
    Image.fromarray(grey).convert("RGB").save(path)
    return path


def write_map(path: Path, bright: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.where(np.arange(48) < bright, 200, 20).astype(np.uint8).reshape(1, 6, 8)
    place = {"crs": "EPSG:32633", "transform": from_origin(500000, 4600000, 1, 1)}
    shape = {"height": 6, "width": 8, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", **shape, **place) as target:
        target.write(np.repeat(grey, 3, axis=0))
    return path


@pytest.fixture
def cameras(tmp_path: Path) -> Path:
    """Two cameras that count their pictures alike, and maps beside them."""
    for number, name in enumerate(("left/0001", "left/0002", "right/0001")):
        write_photo(tmp_path / f"cams/{name}.png", 10 + number)
        write_map(tmp_path / f"cams/{name}_map.tif", 20 + number)
    return tmp_path / "cams"


def predict(images: list[str], out: Path | str, **options: Any) -> Predictions:
    return predict_files(PREDICTOR, images, out, recipe=RECIPE, **options)


def bright_pixels(mask: Path) -> int:
    with Image.open(mask) as image:
        return int((np.asarray(image) == 1).sum())


def names(folder: Path) -> list[str]:
    """Files by their paths, without what the folder says of itself and of the classes."""
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    shown = [path for path in paths if not path.startswith((".", "manifest"))]
    return [path for path in shown if not path.endswith((".xml", ".qml"))]


def test_folders_of_equal_names_are_mirrored(
    cameras: Path, tmp_path: Path, recorded: Callable[[], Any]
) -> None:
    progress = recorded()
    out = tmp_path / "out"
    options = PredictOptions(overlay=True, extras=("areas", "polygons", "probabilities"))
    pattern = [f"{cameras}/**/*.*"]
    done = predict(pattern, out, choices=options, progress=progress)
    photos = ("left/0001", "left/0002", "right/0001")
    for number, name in enumerate(photos):
        assert bright_pixels(out / f"{name}.png") == 10 + number
        assert bright_pixels(out / f"{name}_map.tif") == 20 + number
        assert (out / f"{name}_overlay.jpg").is_file()
        assert (out / f"{name}_probabilities.npz").is_file()
        features = json.loads((out / f"{name}_map.geojson").read_text())["features"]
        assert {f["properties"]["class"] for f in features} == {"dark", "bright"}
    assert {path.relative_to(out).as_posix() for path in done.written} == {
        *(f"{name}.png" for name in photos),
        *(f"{name}_map.tif" for name in photos),
    }
    with (out / "areas.csv").open() as file:
        rows = {(r["mask"], r["class"]): r for r in csv.DictReader(file)}
    assert rows["right/0001.png", "bright"]["pixels"] == "12"
    assert rows["right/0001_map.tif", "bright"]["square_metres"] == "22.000"
    manifest = read_manifest(open_store(out))
    assert manifest[str(cameras / "right/0001.png")]["mask"] == "right/0001.png"
    said = [line for line in progress.lines if "share names" in line]
    assert said == [
        f"images of several folders share names: {out} gets folders as beneath {cameras}"
    ]
    before = names(out)
    again = predict(pattern, out, choices=options)
    assert (len(again.skipped), again.written) == (6, ())
    assert names(out) == before


def test_a_mask_that_is_missing_is_made_again_alone(cameras: Path, tmp_path: Path) -> None:
    pattern = [f"{cameras}/**/*.png"]
    predict(pattern, tmp_path / "out", choices=PredictOptions(extras=("areas",)))
    (tmp_path / "out/right/0001.png").unlink()
    again = predict(pattern, tmp_path / "out", choices=PredictOptions(extras=("areas",)))
    assert again.written == (tmp_path / "out/right/0001.png",)
    write_photo(cameras / "left/0001.png", 30)
    again = predict(pattern, tmp_path / "out", choices=PredictOptions(extras=("areas",)))
    assert again.written == (tmp_path / "out/left/0001.png",), "an image that has changed"
    with (tmp_path / "out/areas.csv").open() as file:
        rows = {(r["mask"], r["class"]): int(r["pixels"]) for r in csv.DictReader(file)}
    assert {mask: n for (mask, name), n in rows.items() if name == "bright"} == {
        "left/0001.png": 30,
        "left/0002.png": 11,
        "right/0001.png": 12,
    }


def test_names_that_differ_lie_side_by_side_as_ever(cameras: Path, tmp_path: Path) -> None:
    (cameras / "right/0001.png").rename(cameras / "right/0003.png")
    predict([f"{cameras}/**/*.png"], tmp_path / "out")
    assert names(tmp_path / "out") == ["0001.png", "0002.png", "0003.png"]


def test_a_store_gets_the_folders_too(cameras: Path, tmp_path: Path) -> None:
    out = f"memory://{tmp_path}/out"
    done = predict([f"{cameras}/**/*.*"], out)
    assert f"{out}/right/0001_map.tif" in done.written
    system = filesystem(out)
    found = system.find(out)
    assert {name.partition("/out/")[2] for name in found} >= {
        "left/0001.png",
        "left/0001_map.tif",
        "left/0001_map.tif.aux.xml",
        "right/0001.png",
    }
    assert len(predict([f"{cameras}/**/*.*"], out).skipped) == 6


def test_an_ortho_and_its_preview_do_not_clash(tmp_path: Path) -> None:
    write_map(tmp_path / "in/ortho.tif", 20)
    write_photo(tmp_path / "in/ortho.jpg", 30)
    done = predict([str(tmp_path / "in")], tmp_path / "out")
    assert names(tmp_path / "out") == ["ortho.png", "ortho.tif"]
    assert {path.name: bright_pixels(path) for path in done.written} == {
        "ortho.tif": 20,
        "ortho.png": 30,
    }
    assert len(predict([str(tmp_path / "in")], tmp_path / "out").skipped) == 2
    (tmp_path / "out/ortho.png").unlink()
    again = predict([str(tmp_path / "in")], tmp_path / "out")
    assert again.written == (tmp_path / "out/ortho.png",), "the map's mask is not the preview's"


def test_two_photos_of_one_name_in_one_folder_are_refused(tmp_path: Path) -> None:
    for name in ("a/x.png", "a/x.jpg", "b/x.jpg"):
        write_photo(tmp_path / "in" / name, 3)
    with pytest.raises(ConfigError, match=r"would both be written as a/x\.png; rename one"):
        predict([f"{tmp_path}/in/**/*.*"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_inputs_beneath_the_output_folder_are_not_overwritten(tmp_path: Path) -> None:
    for name in ("a/x.png", "b/x.png"):
        write_photo(tmp_path / "in" / name, 3)
    before = (tmp_path / "in/a/x.png").read_bytes()
    with pytest.raises(ConfigError, match=r"a/x\.png, a result of .*, would overwrite an input"):
        predict([f"{tmp_path}/in/**/*.png"], tmp_path / "in")
    assert (tmp_path / "in/a/x.png").read_bytes() == before


@pytest.mark.parametrize(
    ("images", "root", "stems"),
    [
        (["/d/a/x.jpg", "/d/b/x.jpg"], "/d", ["a/x", "b/x"]),
        (["/d/x.jpg", "/d/b/x.jpg"], "/d", ["x", "b/x"]),
        (["/d/a/x.1.jpg", "/e/a/x.1.jpg"], "", ["d/a/x.1", "e/a/x.1"]),
        (["/d/a/../x.jpg", "/d/b/x.jpg"], "/d", ["x", "b/x"]),
        (["s3://k/a/x.jpg", "s3://k/b/x.jpg"], "s3://k", ["a/x", "b/x"]),
        (
            ["/d/p-0.tar#0+9/left/x.jpg", "/d/p-0.tar#0+9/../right/x.jpg"],
            "/d",
            ["left/x", "right/x"],
        ),
        (["/d/a/x.jpg", "/d/b/y.jpg"], None, ["x", "y"]),
        (["/d/x.jpg", "/d/x.png"], None, ["x", "x"]),
        (["s3://k/a/x.jpg", "/d/x.jpg"], None, ["x", "x"]),
    ],
)
def test_stems_beneath_the_common_folder(
    images: list[str], root: str | None, stems: list[str]
) -> None:
    assert find_root(images, NOTHING, lambda _: None) == root
    assert [result_stem(image, root) for image in images] == stems


def test_what_an_image_becomes_is_asked_only_where_names_are_shared() -> None:
    asked = []

    def is_large(image: str) -> bool:
        asked.append(image)
        return image.endswith(".tif")

    images = ["a.jpg", "b.tif", "b.jpg"]
    assert possible_results(images, NOTHING, is_large) == {
        "a.jpg": [["a.png"], ["a.tif"]],
        "b.tif": [["b.tif"]],
        "b.jpg": [["b.png"]],
    }
    assert asked == ["b.tif", "b.jpg"]
    assert result_names("d/e.jpg", PredictOptions(extras=("polygons",))) == (
        ["e.png"],
        ["e.tif", "e.geojson"],
    )


def test_links_into_one_folder_keep_their_own_names(tmp_path: Path) -> None:
    write_photo(tmp_path / "in/a/x.png", 3)
    write_photo(tmp_path / "in/b/x.png", 4)
    (tmp_path / "links").mkdir()
    (tmp_path / "links/left").symlink_to(tmp_path / "in/a")
    (tmp_path / "links/right").symlink_to(tmp_path / "in/b")
    predict([str(tmp_path / f"links/{side}/x.png") for side in ("left", "right")], tmp_path / "out")
    assert names(tmp_path / "out") == ["left/x.png", "right/x.png"]
    shutil.rmtree(tmp_path / "out")
