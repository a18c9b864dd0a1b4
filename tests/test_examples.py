"""The examples of other tools and languages, run by the tools' own packages and compilers."""

import importlib.util
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelwise

# the packages are others', and so are their warnings
pytestmark = pytest.mark.filterwarnings("default")

EXAMPLES = Path(__file__).parents[1] / "examples"
CONFIG = """<View><Image name="img" value="$photo"/><BrushLabels name="brush" toName="img">
<Label value="sky"/><Label value="road"/><Label value="car"/></BrushLabels></View>"""


def run_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def labelled(model: Path, picture: Callable[..., Path]) -> tuple[Path, np.ndarray]:
    """A photo, and what `predict` finds in it."""
    photo = picture("a.png", 60, 90)
    labels = pixelwise.load(model).predict(photo).labels
    assert len(np.unique(labels)) > 2
    return photo, labels


def annotate(
    function: Any, photo: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> list[Any]:
    """The shapes that cvat-sdk uploads for a task of one photo; its server is simulated."""
    driver = pytest.importorskip("cvat_sdk.auto_annotation.driver")
    uploads = []
    names = function.predictor.classes.names
    labels = [
        SimpleNamespace(id=70 + number, name=name, type="any", attributes=[], sublabels=[])
        for number, name in enumerate(names)
    ]
    media = SimpleNamespace(load_image=lambda: Image.open(photo))
    sample = SimpleNamespace(frame_name=photo.name, frame_index=0, media=media)
    dataset = SimpleNamespace(labels=labels, samples=[sample])
    monkeypatch.setattr(driver, "TaskDataset", lambda *_, **__: dataset)
    api = SimpleNamespace(
        partial_update_annotations=lambda *_, patched_labeled_data_request: uploads.append(
            patched_labeled_data_request
        )
    )
    client = SimpleNamespace(logger=logging.getLogger("cvat"), tasks=SimpleNamespace(api=api))
    driver.annotate_task(client, 137, function, **options)
    return list(uploads[0].shapes)


def test_cvat_gets_a_mask_for_each_class(
    model: Path, labelled: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = pytest.importorskip("cvat_sdk.masks")
    photo, labels = labelled
    function = run_example("cvat_function").create(model)
    shapes = annotate(function, photo, monkeypatch)
    read = np.zeros(labels.shape)  # the background needs no shape
    for shape in shapes:
        assert shape.type.value == "mask"
        read[masks.decode_mask(shape.points, image_width=90, image_height=60)] = shape.label_id - 70
    assert np.array_equal(read, labels)


def test_cvat_gets_polygons_where_it_wants_them(
    model: Path, labelled: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, labels = labelled
    pytest.importorskip("cvat_sdk")
    function = run_example("cvat_function").create(model)
    shapes = annotate(function, photo, monkeypatch, conv_mask_to_poly=True)
    assert {shape.type.value for shape in shapes} == {"polygon"}
    assert {shape.label_id - 70 for shape in shapes} == set(np.unique(labels)) - {0}


def test_label_studio_gets_a_brush_mask_for_each_class(
    model: Path, labelled: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    api = pytest.importorskip("label_studio_ml.api")
    photo, labels = labelled
    monkeypatch.setenv("PIXELWISE_MODEL", str(model))
    backend = run_example("label_studio_backend")
    # the tool fetches photos by address; this one lies on the disk
    monkeypatch.setattr(backend.Segmentation, "get_local_path", lambda _, url: url)
    app = api.init_app(backend.Segmentation, model_dir=str(photo.parent))
    request = {"tasks": [{"data": {"photo": str(photo)}}], "label_config": CONFIG, "project": "1.1"}
    client = app.test_client()
    client.post(
        "/setup", json={"project": "1.1", "schema": CONFIG, "hostname": "", "access_token": ""}
    )
    answer = client.post("/predict", json=request)
    assert answer.status_code == 200, answer.text
    (prediction,) = answer.json["results"]
    read = np.zeros(labels.shape)  # the background needs no shape
    for region in prediction["result"]:
        assert (region["from_name"], region["to_name"]) == ("brush", "img")
        pixels = brush.decode_rle(region["value"]["rle"]).reshape(60, 90, 4)
        (name,) = region["value"]["brushlabels"]
        read[pixels[..., 3] > 0] = backend.PREDICTOR.classes.names.index(name)
    assert np.array_equal(read, labels)


def test_the_example_in_cpp_labels_as_predict(
    labelled: tuple[Path, np.ndarray], model: Path, tmp_path: Path
) -> None:
    openvino = pytest.importorskip("openvino")
    compiler = shutil.which("g++")
    folder = Path(openvino.__file__).parent
    libraries = [*(folder / "libs").glob("libopenvino.so*")]
    if compiler is None or not libraries or not (folder / "include").is_dir():
        pytest.skip("there is no g++, or OpenVINO has no headers here")
    photo, labels = labelled
    source = EXAMPLES / "predict_openvino.cpp"
    options = [
        "-isystem",
        str(folder / "include"),
        f"-Wl,-rpath,{folder / 'libs'}",
        str(libraries[0]),
    ]
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = [compiler, "-std=c++17", *warnings, source, "-o", tmp_path / "label", *options]
    subprocess.run(command, check=True, timeout=200)
    Image.open(photo).save(tmp_path / "photo.ppm")
    words = [tmp_path / "label", model, tmp_path / "photo.ppm", tmp_path / "mask.pgm"]
    subprocess.run(words, check=True, timeout=60)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "mask.pgm")), labels)
    refused = subprocess.run([words[0], model, photo, "mask.pgm"], capture_output=True, check=False)
    assert refused.returncode == 2
    assert b"no 8-bit PPM" in refused.stderr


def test_the_example_in_javascript_labels_as_predict(
    labelled: tuple[Path, np.ndarray], model: Path, tmp_path: Path
) -> None:
    runtime = Path(os.environ.get("ONNXRUNTIME_WEB", "node_modules/onnxruntime-web"))
    node = shutil.which("node")
    if node is None or not (runtime / "dist").is_dir():
        pytest.skip("there is no Node.js, or no folder onnxruntime-web in ONNXRUNTIME_WEB")
    photo, labels = labelled
    rgba = np.asarray(Image.open(photo).convert("RGBA"))
    (tmp_path / "pixels").write_bytes(rgba.tobytes())
    height, width = labels.shape
    script = f"""import {{ readFileSync }} from "node:fs";
import * as ort from {json.dumps((runtime / "dist/ort.wasm.min.mjs").resolve().as_uri())};
import {{ labelPicture }} from {json.dumps((EXAMPLES / "predict_onnx.mjs").as_uri())};
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync({json.dumps(str(model))}));
const data = readFileSync({json.dumps(str(tmp_path / "pixels"))});
const labels = await labelPicture(ort, session, {{ data, height: {height}, width: {width} }});
console.log(JSON.stringify([...labels]));
"""
    (tmp_path / "run.mjs").write_text(script, encoding="utf-8")
    command = [node, tmp_path / "run.mjs"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert np.array_equal(np.reshape(json.loads(ran.stdout), labels.shape), labels)
