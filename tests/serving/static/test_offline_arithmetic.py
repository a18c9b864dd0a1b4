"""The page's own arithmetic beside that of `predict`, in Node.js."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelwise.classes import quantize_confidence, read_labels
from pixelwise.inference.resize import resize_pieces, resize_pixels
from pixelwise.inference.tiling import TilePlan, stream
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.serving.javascript import bundle_modules
from pixelwise.serving.page_routes import STATIC

ENTRY = """import { LabelReader } from "./labels.js";
import { resizePicture } from "./resample.js";
import { TilePlan, streamBands } from "./tiles.js";
import { viewSize } from "./view_size.js";

const input = JSON.parse(require("fs").readFileSync(0, "utf8"));

/** Two classes: red, and how far a pixel is from the tile's upper left corner. */
async function run(pixels, height, width) {
  const logits = new Float32Array(2 * height * width);
  for (let i = 0; i < height * width; i++) {
    logits[i] = pixels[i];
    logits[height * width + i] = (i % width) + Math.floor(i / width);
  }
  return logits;
}

async function tile({ pixels, height, width, tiles }) {
  const reader = new LabelReader(height, width);
  const plan = new TilePlan(height, width, tiles);
  for await (const { top, height: rows, logits } of streamBands(run, { pixels, width }, plan)) {
    reader.read(logits, top * width, rows * width);
  }
  return { count: plan.count, labels: [...reader.labels], confidence: [...reader.confidence] };
}

function enlarge({ logits, view, size }) {
  const reader = new LabelReader(...size);
  reader.readResized(Float32Array.from(logits), ...view);
  return { labels: [...reader.labels], confidence: [...reader.confidence] };
}

const works = {
  resize: ({ picture, size }) => [...resizePicture(picture, ...size).pixels],
  view: ({ size, sizes, type }) => viewSize(...size, sizes, type),
  tile,
  enlarge,
};
Promise.all(input.map(([work, values]) => works[work](values))).then((answers) => {
  console.log(JSON.stringify(answers));
});
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's modules as a script that answers on its output."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    folder = tmp_path_factory.mktemp("page")
    entry = folder / "main.js"
    modules = os.path.relpath(STATIC / "offline", folder)
    entry.write_text(ENTRY.replace('from "./', f'from "./{modules}/'), encoding="utf-8")
    script = folder / "script.js"
    script.write_text(bundle_modules(entry), encoding="utf-8")
    return script


def ask(page: Path, work: str, cases: list[dict[str, Any]]) -> list[Any]:
    ran = subprocess.run(
        ["node", page],
        input=json.dumps([(work, case) for case in cases]),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answers: list[Any] = json.loads(ran.stdout)
    return answers


def test_pictures_are_resized_to_the_bit(page: Path) -> None:
    generator = np.random.default_rng(0)
    sizes = [
        ((40, 60), (30, 45)),
        ((40, 60), (40, 33)),
        ((301, 203), (31, 20)),  # reduced by whole steps before, with a border of smaller ones
        ((64, 90), (9, 7)),
        ((20, 31), (57, 70)),
        ((1, 9), (3, 1)),
    ]
    pictures = [generator.integers(0, 256, (*size, 3), np.uint8) for size, _ in sizes]
    pictures[0] = (pictures[0] // 128) * 255  # overshoots are cut
    cases = [
        {"picture": describe(picture), "size": size}
        for picture, (_, size) in zip(pictures, sizes, strict=True)
    ]
    for picture, (_, size), answer in zip(pictures, sizes, ask(page, "resize", cases), strict=True):
        expected = resize_pixels(picture, size)
        assert np.array_equal(np.array(answer).reshape(expected.shape), expected)


def describe(picture: np.ndarray) -> dict[str, Any]:
    height, width, _ = picture.shape
    return {"pixels": picture.ravel().tolist(), "height": height, "width": width}


def run(rgb: np.ndarray) -> np.ndarray:
    """What ENTRY's `run` computes."""
    _, _, height, width = rgb.shape
    corner = np.add.outer(np.arange(height), np.arange(width))
    return np.stack([rgb[0, 0], corner])[None].astype(np.float32)


@pytest.mark.parametrize("size", [(50, 40), (96, 200), (133, 97), (64, 65)])
def test_tiles_lie_and_count_as_in_predict(page: Path, size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(1).integers(0, 120, (*size, 3), np.uint8)
    plan = TilePlan(*size, (64, 64), 0.25, "linear")
    expected = np.zeros((2, *size), np.float32)
    for top, left, logits in stream(run, rgb, plan):
        expected[:, top : top + logits.shape[1], left : left + logits.shape[2]] = logits
    tiles = {"tile": [64, 64], "overlap": 0.25}
    (answer,) = ask(page, "tile", [{**describe(rgb), "tiles": tiles}])
    assert answer["count"] == len(plan.rows) * len(plan.columns)
    compare(answer, expected)


def compare(answer: dict[str, Any], logits: np.ndarray) -> None:
    labels, confidence = read_labels(logits)
    assert 0.05 < labels.mean() < 0.95  # both classes occur
    assert np.array_equal(np.reshape(answer["labels"], labels.shape), labels)
    gap = np.abs(np.reshape(answer["confidence"], labels.shape) - quantize_confidence(confidence))
    assert gap.max() <= 1  # a half may be rounded either way


@pytest.mark.parametrize("size", [(40, 70), (9, 5), (17, 23)])
def test_logits_go_back_to_the_size_of_the_picture(page: Path, size: tuple[int, int]) -> None:
    logits = np.random.default_rng(2).normal(size=(2, 17, 23)).astype(np.float32)
    pieces = resize_pieces([(0, 0, logits)], (17, 23), size)
    expected = np.concatenate([rows for _, _, rows in pieces], axis=1)
    case = {"logits": logits.ravel().tolist(), "view": [17, 23], "size": size}
    compare(ask(page, "enlarge", [case])[0], expected)


def test_pictures_are_seen_at_the_size_that_the_header_says(page: Path) -> None:
    cases = [
        {"size": size, "sizes": sizes, "type": kind}
        for size in [(300, 300), (600, 599), (601, 601), (2000, 3000), (90, 100), (1, 4000)]
        for sizes in [
            {"side": 301, "smallest": 200, "largest": 600, "framed": framed, "varied": varied}
            for framed, varied in [(True, False), (True, True), (False, False), (None, False)]
        ]
        for kind in ("image/jpeg", "image/tiff")
    ]
    for case, answer in zip(cases, ask(page, "view", cases), strict=True):
        sizes = PictureSizes.from_json(case["sizes"])
        kind = "TIFF" if case["type"] == "image/tiff" else "JPEG"
        assert tuple(answer) == sizes.view_size(*case["size"], format=kind)
