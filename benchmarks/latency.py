"""One photo in a process that is warm: milliseconds from the file's bytes to the labels, by number
of threads.

python benchmarks/latency.py RUN PHOTOS [--threads 1 2 4] [--out benchmarks/results/latency.md]

For each number of threads a process of its own labels PHOTOS one after the other, the networks in
turn: pixelwise on PyTorch, which `pixelwise.load` takes, and on the runtime that `runtime="auto"`
chooses, as the command line and the server do, and the U-Net of segmentation_models.pytorch on the same
encoder, on PyTorch and on ONNX Runtime, each with so many threads. Reading the file is in the time,
as is bringing the labels to the photo's size; writing a mask is not.
"""

import argparse
import io
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from machine import provenance
from PIL import Image

WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--count", type=int, default=60, help="photos, at most")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return
    lines = [
        "| threads | network | ms, median | 95th of 100 | ratio to PyTorch |",
        "|---|---|---|---|---|",
    ]
    for threads in options.threads:
        lines += rows(threads)
        print(*lines, sep="\n", flush=True)
    if options.out:
        command = f"python benchmarks/latency.py {shlex.join(sys.argv[1:])}"
        text = "\n".join(["# One photo in a warm process", "", provenance(command), *lines, ""])
        options.out.write_text(text, encoding="utf-8")


def rows(threads: int) -> list[str]:
    """The rows of one number of threads, from a process that has no more."""
    found = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--child", "--threads", str(threads)],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    times: dict[str, list[float]] = json.loads(found.splitlines()[-1])
    medians = {name: statistics.median(values) for name, values in times.items()}
    return [
        f"| {threads} | {name} | {1e3 * medians[name]:.0f} | "
        f"{1e3 * float(np.percentile(values, 95)):.0f} | {medians[EAGER] / medians[name]:.2f} |"
        for name, values in times.items()
    ]


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each photo by network."""
    files = [path.read_bytes() for path in sorted(options.photos.glob("*.jpg"))[: options.count]]
    threads = options.threads[0]
    torch.set_num_threads(threads)
    arms = networks(options.run, threads)
    times: dict[str, list[float]] = {name: [] for name in arms}
    for number, content in enumerate([*files[:WARM_UP], *files]):
        for name, label in arms.items():
            start = time.perf_counter()
            label(content)
            if number >= WARM_UP:
                times[name].append(time.perf_counter() - start)
    return times


EAGER = "segmentation_models.pytorch, PyTorch"


def networks(run: str, threads: int) -> dict[str, Callable[[bytes], object]]:
    import onnxruntime
    import segmentation_models_pytorch as smp

    import pixelwise

    on_torch = pixelwise.load(run)
    chosen = pixelwise.load(run, runtime="auto")
    model = smp.Unet(
        "tu-tf_efficientnet_lite0", encoder_weights=None, classes=len(chosen.classes)
    ).eval()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        sample = torch.zeros(1, 3, 384, 480)
        torch.onnx.export(model, (sample,), path, dynamo=False, input_names=["image"])
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, settings, ["CPUExecutionProvider"])

    def eager(content: bytes) -> object:
        image, (height, width) = padded(content)
        with torch.inference_mode():
            return model(torch.from_numpy(image))[0, :, :height, :width].argmax(0).numpy()

    def onnx(content: bytes) -> object:
        image, (height, width) = padded(content)
        return session.run(None, {"image": image})[0][0, :, :height, :width].argmax(0)

    def label(predictor: pixelwise.Predictor, content: bytes) -> object:
        return predictor.predict(Image.open(io.BytesIO(content))).labels

    return {
        "pixelwise, runtime auto": partial(label, chosen),
        "pixelwise, PyTorch": partial(label, on_torch),
        EAGER: eager,
        "segmentation_models.pytorch, ONNX Runtime": onnx,
    }


def padded(content: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """The photo as (1, 3, H, W) in -1 to 1, sides brought up to multiples of 32, and its size."""
    rgb = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    height, width = rgb.shape[:2]
    image = (rgb.transpose(2, 0, 1)[None].astype(np.float32) / 255 - 0.5) / 0.5
    return np.pad(image, ((0, 0), (0, 0), (0, -height % 32), (0, -width % 32))), (height, width)


if __name__ == "__main__":
    main()
