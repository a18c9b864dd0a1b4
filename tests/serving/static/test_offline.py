"""The page without a server, as a person meets it: opened from the disk, without a network.

It needs the npm package onnxruntime-web: a folder or .tgz named by ONNXRUNTIME_WEB, or one in the
current folder.
"""

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise
from pixelwise.api import export_page
from pixelwise.datasets.synthetic import draw_scene
from pixelwise.errors import ConfigError
from pixelwise.models.checkpoint import load_model, save_model
from pixelwise.serving.web_runtime import read_web_runtime

from .conftest import ARGS, CHROMIUM, Visit, png

SIZES = {"framed": True, "side": 300, "smallest": 200, "largest": 600, "varied": False}


def draw(height: int, width: int) -> np.ndarray:
    return draw_scene(np.random.default_rng(3), (height, width), 20, reach=96)[0]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, model_file: Callable[..., Path]) -> Path:
    """An untrained model of photos of about 300 x 300, whose classes are equally likely."""
    segmenter, header = load_model(model_file("fcn8s"))
    scene = torch.from_numpy(draw(240, 320)).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        segmenter.decoder.scores["8"].bias -= segmenter(scene)[0].mean((1, 2))
    path = tmp_path_factory.mktemp("page") / "streets.safetensors"
    save_model(path, segmenter, replace(header, training={"sizes": SIZES}))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.is_file():
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_file(model: Path) -> Path:
    runtime = os.environ.get("ONNXRUNTIME_WEB")
    try:
        read_web_runtime(runtime and Path(runtime))
    except ConfigError as error:
        pytest.skip(f"{error}, or name it in ONNXRUNTIME_WEB")
    return export_page(model, model.with_suffix(".html"), web_runtime=runtime).path


@pytest.fixture(scope="module")
def offline(page_file: Path, browser: Any) -> Iterator[Visit]:
    """The page, and afterwards nothing asked of anybody and no error in its console."""
    page = browser.new_context(offline=True).new_page()
    page.set_default_timeout(60_000)
    visit = Visit(page, [], [])
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on(
        "console",
        lambda message: visit.errors.append(message.text) if message.type == "error" else None,
    )
    page.goto(page_file.as_uri())
    page.locator("main[aria-busy=false]").wait_for()
    yield visit
    asked = [url for url in visit.requests if not url.startswith(("data:", "blob:"))]
    assert asked == [page_file.as_uri()]
    assert visit.errors == []
    page.close()


@pytest.mark.parametrize("size", [(240, 320), (900, 700), (90, 120)])
def test_labels_are_those_of_predict(offline: Visit, model: Path, size: tuple[int, int]) -> None:
    rgb = draw(*size)
    offline.upload(rgb, "scene.png")
    name, mask = offline.save("Download mask")
    expected = pixelwise.load(model).predict(rgb)
    with Image.open(io.BytesIO(mask)) as image:
        labels = np.asarray(image)
        assert image.mode == "P"
        assert image.getpalette()[: 3 * 3] == np.ravel(expected.palette).tolist()
    assert name == "scene_mask.png"
    assert (labels == expected.labels).mean() >= 0.999
    assert len(np.unique(labels)) == 3
    shares = np.bincount(labels.ravel(), minlength=3) / labels.size
    data = json.loads(offline.save("Download data")[1])
    assert (data["model"], data["height"], data["width"]) == ("streets", *size)
    read = {entry["name"]: entry["share"] for entry in data["classes"]}
    assert read == pytest.approx(dict(zip(expected.classes, shares, strict=True)))
    assert set(offline.legend()) == set(read)
    is_resized = "seen at the training's size" in offline.page.locator(".request").inner_text()
    assert is_resized == (size != (240, 320))


def test_large_pictures_are_cut_in_tiles(
    browser: Any, page_file: Path, model: Path, tmp_path: Path
) -> None:
    segmenter, header = load_model(model)
    as_it_is = replace(header, training={"sizes": {**SIZES, "framed": False}})
    save_model(tmp_path / "m.safetensors", segmenter, as_it_is)
    runtime = os.environ.get("ONNXRUNTIME_WEB")
    done = export_page(tmp_path / "m.safetensors", tmp_path / "p.html", web_runtime=runtime)
    page = browser.new_context(offline=True).new_page()
    page.goto(done.path.as_uri())
    page.locator("main[aria-busy=false]").wait_for()
    visit = Visit(page, [], [])
    rgb = draw(70, 1500)
    visit.upload(rgb)
    labels = np.asarray(Image.open(io.BytesIO(visit.save("Download mask")[1])))
    expected = pixelwise.load(tmp_path / "m.safetensors").predict(rgb).labels
    assert (labels == expected).mean() >= 0.999
    assert len(np.unique(labels)) > 1
    page.close()


def test_the_overlay_is_saved_as_it_is_seen(offline: Visit) -> None:
    rgb = draw(240, 320)
    offline.upload(rgb, "scene.png")
    name, overlay = offline.save("Download overlay")
    painted = np.asarray(Image.open(io.BytesIO(overlay)).convert("RGB"))
    assert (name, painted.shape) == ("scene_overlay.png", rgb.shape)
    assert np.abs(painted.astype(int) - rgb).mean() > 10


def test_files_that_are_no_pictures_are_named_in_one_line(offline: Visit) -> None:
    whole = png(draw(64, 64))
    files = {"notes.png": b"not a picture", "half.png": whole[:60], "empty.png": b""}
    for name, content in files.items():
        offline.page.locator("[data-part=file]").set_input_files(
            {"name": name, "mimeType": "image/png", "buffer": content}
        )
        alert = offline.page.get_by_text(f"{name} cannot be read")
        alert.wait_for()
        assert "save it as JPEG or PNG" in alert.inner_text()
        assert not offline.page.locator("progress").is_visible()
    offline.upload(draw(64, 80))
    assert not alert.is_visible()


def test_a_newer_picture_ends_the_work_on_the_one_before(offline: Visit) -> None:
    part = offline.page.locator("[data-part=file]")
    for name, size in (("first.png", (500, 500)), ("second.png", (64, 80))):
        part.set_input_files({"name": name, "mimeType": "image/png", "buffer": png(draw(*size))})
    offline.page.get_by_text("Done in").wait_for()
    assert "64 x 80 pixels" in offline.page.locator("[data-part=status]").inner_text()
    assert offline.save("Download mask")[0] == "second_mask.png"


def test_nothing_overflows_on_a_phone(offline: Visit) -> None:
    offline.page.set_viewport_size({"width": 390, "height": 844})
    offline.upload(draw(240, 320))
    width = "document.documentElement.scrollWidth"
    assert offline.page.evaluate(width) == 390
    offline.page.set_viewport_size({"width": 1280, "height": 900})


def test_a_browser_without_webassembly_is_told_so(browser: Any, page_file: Path) -> None:
    page = browser.new_context(offline=True).new_page()
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(page_file.as_uri())
    page.locator("main[aria-busy=false]").wait_for()
    assert page.locator("#start-alert").inner_text() == (
        "The page cannot start: this browser runs no WebAssembly with SIMD. Open it in a current "
        "Chrome, Edge, Firefox or Safari."
    )
    page.close()
