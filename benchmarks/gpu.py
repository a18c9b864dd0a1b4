"""The way through pixelwise on a GPU in at most ten minutes, beside segmentation_models.pytorch.

python benchmarks/gpu.py --data CAMVID [--device cuda] [--minutes 9] [--out gpu] [--style IMAGE]

Trains with the defaults for half of the minutes, scores and labels the test images, exports, paints
one image in the style of another, and measures steps of training and of labelling of pixelwise's
networks (its default, and U-Net) and of smp's Unet on the same encoder: bfloat16 where there is some, channels last, both
plain and compiled, taking turns. The page goes to standard output.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from machine import provenance
from torch import Tensor, nn

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.hardware import cpu_has_bfloat16, gpu_has_bfloat16
from pixelwise.io.images import read_rgb
from pixelwise.optional import is_installed
from pixelwise.training.losses import make_loss

CROP = (320, 480)
# The default decoder, and smp's own.
OURS = ("light", "unet")


class Page:
    """Rows of a table, and remarks below it."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def add(self, what: str, figure: str) -> None:
        self.rows.append((what, figure))
        print(f"{what}: {figure}", flush=True)

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """A part that fails is a row; the others go on."""
        try:
            yield
        except Exception as error:
            self.add(what, f"failed: {type(error).__name__}: {str(error).splitlines()[0]}")

    def text(self, command: str) -> str:
        lines = ["# GPU", "", provenance(command), "| | |", "|---|---|"]
        return "\n".join([*lines, *(f"| {what} | {figure} |" for what, figure in self.rows)])


def seconds_of(run: Callable[[], object], device: str, budget: float) -> float:
    """The median of as many calls as fit into the budget, after two that warm up."""
    times = []
    end = time.monotonic() + budget
    while len(times) < 4 or (time.monotonic() < end and len(times) < 200):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def train(page: Page, data: Path, run: Path, device: str, minutes: float) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    result = pixelwise.train(data, run, device=device, minutes=minutes)
    page.add(f"training, {minutes:.1f} minutes, epochs", str(result.history[-1].epoch))
    speed = np.median([row.images_per_second for row in result.history])
    page.add("training, images/s", f"{speed:.1f}")
    page.add("validation mean IoU", f"{result.best.val_mean_iou:.3f}")
    if device == "cuda":
        page.add("peak GPU memory, GiB", f"{torch.cuda.max_memory_allocated() / 2**30:.1f}")


def label(page: Page, data: Path, run: Path, device: str) -> None:
    scores = pixelwise.evaluate(run, data).scores
    page.add(f"test mean IoU, {scores.images} images", f"{scores.mean_iou:.3f}")
    images = [read_rgb(pair.image) for pair in test_pairs(data)[:32]]
    for precision in precisions(device):
        model = pixelwise.load(run, device=device, precision=precision)
        model.predict(images[0])
        start = time.perf_counter()
        for image in images:
            model.predict(image)
        rate = len(images) / (time.perf_counter() - start)
        page.add(f"labels of decoded images, {precision}, images/s", f"{rate:.1f}")


def test_pairs(data: Path) -> list:
    dataset = open_dataset(data, DataOptions())
    return dataset.pairs("test" if dataset.splits.get("test") else "val")


def precisions(device: str) -> list[str]:
    has = gpu_has_bfloat16() if device == "cuda" else cpu_has_bfloat16()
    return ["float32", *["bfloat16"] * has]


def export(page: Page, data: Path, run: Path, out: Path, budget: float) -> None:
    if not is_installed("onnxruntime") or not is_installed("onnx"):
        page.add("ONNX", "the extra export is not installed")
        return
    import onnxruntime

    path = out / "model.onnx"
    pixelwise.export_model(run, path)
    rgb = read_rgb(test_pairs(data)[0].image).transpose(2, 0, 1)[None].copy()
    for provider in ("CPUExecutionProvider", "CUDAExecutionProvider"):
        if provider not in onnxruntime.get_available_providers():
            page.add(f"ONNX Runtime, {provider}", "absent from this onnxruntime")
            continue
        session = onnxruntime.InferenceSession(str(path), providers=[provider])
        name = session.get_inputs()[0].name
        call = {name: rgb}
        seconds = seconds_of(lambda run=session.run, call=call: run(None, call), "cpu", budget)
        page.add(f"ONNX Runtime, {provider}, ms an image", f"{1e3 * seconds:.1f}")


def stylize(page: Page, data: Path, out: Path, style: Path | None, device: str) -> None:
    pairs = test_pairs(data)
    start = time.perf_counter()
    result = pixelwise.stylize(
        pairs[0].image,
        style or pairs[-1].image,
        out / "styled.png",
        network="tf_efficientnet_lite0",
        size=(256, 256) if device == "cpu" else (600, 600),
        device=device,
        steps=5 if device == "cpu" else 200,
    )
    seconds = time.perf_counter() - start
    page.add(f"style, {len(result.history)} steps with the network's loading, s", f"{seconds:.1f}")


def networks(classes: int) -> dict[str, nn.Module]:
    encoder = "tf_efficientnet_lite0"
    found = {
        decoder: pixelwise.build_model(decoder, encoder=encoder, classes=classes)
        for decoder in OURS
    }
    if is_installed("segmentation_models_pytorch"):
        import segmentation_models_pytorch as smp

        found["smp"] = smp.Unet(f"tu-{encoder}", encoder_weights=None, classes=classes)
    return found


def measure_steps(page: Page, device: str, compiled: bool, budget: float) -> None:
    """Training steps and labelling of the networks, in the same precision and layout."""
    batch = 16 if device == "cuda" else 2
    classes = 11
    layout = torch.channels_last
    images = torch.rand(batch, 3, *CROP, device=device).contiguous(memory_format=layout)
    target = torch.randint(0, classes, (batch, *CROP), device=device)
    loss = make_loss("cross_entropy + dice")
    precision = precisions(device)[-1]
    rates: dict[tuple[str, str], float] = {}
    compared = networks(classes)
    for name, network in compared.items():
        net = network.to(device=device, memory_format=layout)
        runs = torch.compile(net) if compiled else net
        optimizer = torch.optim.AdamW(net.parameters(), 1e-4)

        def forward(runs: Callable[[Tensor], Tensor] = runs) -> Tensor:
            with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
                return runs(images)

        def step(forward: Callable[[], Tensor] = forward, optimizer=optimizer) -> None:
            loss(forward(), target).backward()
            optimizer.step()
            optimizer.zero_grad()

        rates["training", name] = batch / seconds_of(step, device, budget)
        net.eval()
        with torch.no_grad():
            rates["labelling", name] = batch / seconds_of(forward, device, budget)
    how = f"{precision}, {'compiled' if compiled else 'plain'}"
    for what in ("training", "labelling"):
        theirs = rates.get((what, "smp"))
        for name in OURS:
            ours = rates[what, name]
            figure = f"{ours:.1f} images/s"
            if theirs:
                figure += f"; smp's Unet {theirs:.1f}: {ours / theirs:.2f} times"
            page.add(f"{what} step, {name}, {how}", figure)
    if "smp" not in compared:
        page.add("smp", "not installed: pip install 'pixelwise[bench]'")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--style", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    page = Page()
    run = options.out / "run"
    device = options.device
    share = 60 * options.minutes / 40  # seconds of a measurement
    if device == "cuda":
        page.add("GPU", torch.cuda.get_device_name())
    with page.part("training"):
        train(page, options.data, run, device, options.minutes / 2)
    with page.part("labels"):
        label(page, options.data, run, device)
    with page.part("export"):
        export(page, options.data, run, options.out, share)
    with page.part("style"):
        stylize(page, options.data, options.out, options.style, device)
    for compiled in (False, True)[: 1 + (device == "cuda")]:
        with page.part("steps, compiled" if compiled else "steps"):
            measure_steps(page, device, compiled, share)
    command = f"python benchmarks/gpu.py --data CAMVID --device {device} --minutes"
    print("\n" + page.text(f"{command} {options.minutes:g}"))


if __name__ == "__main__":
    main()
