"""The page of `pixelwise export --out page.html` beside `predict`: labels and seconds.

python benchmarks/offline_page.py MODEL PHOTOS --web-runtime PACKAGE --out FOLDER [--count N] [--enlarge 2.5]

The page is opened from the disk in a Chromium that has no network. Each photo (evenly taken of
PHOTOS, all without --count; with --enlarge resized before, and written as PNG) is chosen in it, the
mask is downloaded, and its labels are compared with those of `predict` on PyTorch and on ONNX
Runtime, which also are compared with each other. Seconds are those between choosing a photo and its
result, by the clock and as processor time of the browser; the load says how busy the machine was.
"""

import argparse
import io
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from machine import provenance
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import pixelwise
from pixelwise.api import export_page
from pixelwise.export.exporter import export
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import list_images

ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--web-runtime", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--enlarge", type=float, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    page_file = arguments.out / "page.html"
    export_page(arguments.model, page_file, web_runtime=arguments.web_runtime)
    photos = list_images(arguments.photos)
    photos = photos[:: max(1, len(photos) // (arguments.count or len(photos)))]
    if arguments.enlarge:
        photos = [enlarge(photo, arguments.enlarge, arguments.out) for photo in photos]
    network = arguments.out / "model.onnx"
    export(arguments.model, network)
    models = [
        pixelwise.load(arguments.model, runtime="torch", precision="float32"),
        pixelwise.load(network, runtime="onnxruntime"),
    ]
    rows = list(measure(page_file, photos, models))
    print(provenance("python " + shlex.join(sys.argv)))
    print(report(np.array(rows), page_file.stat().st_size))


def enlarge(photo: Path, factor: float, folder: Path) -> Path:
    image = Image.open(photo).convert("RGB")
    size = (round(image.width * factor), round(image.height * factor))
    path = folder / f"{photo.stem}.png"
    image.resize(size, Image.Resampling.LANCZOS).save(path, compress_level=1)
    return path


def measure(page_file: Path, photos: list[Path], models: list[Predictor]) -> Iterator[list[float]]:
    """Of each photo the pixels; those that differ from each model of `models`, and of these from
    each other; seconds by the clock and of the processor; the load.
    """
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        context = browser.new_context(offline=True)
        page = context.new_page()
        page.goto(page_file.resolve().as_uri())
        page.locator("main[aria-busy=false]").wait_for()
        for photo in photos:
            start = time.perf_counter()
            begin = processor_time()
            mask = label(page, photo)
            seconds = time.perf_counter() - start
            used = processor_time() - begin
            labels = [model.predict(photo).labels for model in models]
            differing = [(mask != other).sum() for other in labels]
            apart = (labels[0] != labels[1]).sum()
            row = [mask.size, *differing, apart, seconds, used, os.getloadavg()[0]]
            print(photo.name, *(f"{number:g}" for number in row), file=sys.stderr, flush=True)
            yield row
        browser.close()


def label(page: Page, photo: Path) -> np.ndarray:
    """The labels (H, W) that the page downloads."""
    page.locator("[data-part=file]").set_input_files(photo)
    page.locator("[data-part=tune]").wait_for(state="hidden")
    page.locator("[data-part=tune]").wait_for(timeout=300_000)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download mask").click()
    return np.asarray(Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes())))


def processor_time() -> float:
    """Seconds that Chromium's processes have taken."""
    times = (
        process.cpu_times()
        for process in psutil.Process().children(recursive=True)
        if "chrom" in process.name()
    )
    return sum(used.user + used.system for used in times)


def report(rows: np.ndarray, size: int) -> str:
    """Markdown."""
    pixels = rows[:, 0]
    lines = [f"{len(rows)} photos; the page has {size / 1e6:.1f} MB.", ""]
    lines += ["| labels of | agree on | photo with the least |", "|---|---|---|"]
    pairs = ("page and PyTorch", "page and ONNX Runtime", "ONNX Runtime and PyTorch")
    for name, differing in zip(pairs, rows[:, 1:4].T, strict=True):
        pooled = 100 * (1 - differing.sum() / pixels.sum())
        least = 100 * (1 - (differing / pixels).max())
        lines.append(f"| {name} | {pooled:.4f} % | {least:.3f} % |")
    seconds, used, load = np.median(rows[:, 4:], axis=0)
    lines.append(
        f"\nMedian of a photo: {seconds:.1f} s by the clock, {used:.1f} s of the processor, at a "
        f"load of {load:.1f}."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
