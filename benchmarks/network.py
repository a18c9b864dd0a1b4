"""The network alone, by runtime and precision: images/s, the machine's matrix-product peak, and
mean IoU with int8.

python benchmarks/network.py RUN DATA --out benchmarks/results/network.md [--int8 FILE.xml]

Tiles of 360 x 480 run as in a long prediction, a few at a time; rounds take turns; each figure is
the best round. torchvision's fcn_resnet50 and a SegFormer-B0 of transformers (random weights, one
image at a time, as their users run them) stand beside it for their speed. INT8 is a file of
`pixelwise export RUN --out FILE.xml --int8 DATA`.
"""

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from machine import provenance

import pixelwise
from pixelwise.inference.threads import WORKERS
from pixelwise.io.images import read_rgb
from pixelwise.models.checkpoint import load_model

Run = Callable[[np.ndarray], Any]
PRODUCT = 2048


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--int8", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    ours = loaded(args)
    runs: dict[str, Run] = {
        EAGER: eager(load_model(args.run)[0]),
        **{k: v.runner for k, v in ours.items()},
    }
    runs |= {name: eager(model) for name, model in rivals().items()}
    files = sorted((args.data / "test").glob("*.jpg"))[: args.images]
    seconds = best(runs, [read_rgb(f).transpose(2, 0, 1)[None].copy() for f in files], args.rounds)
    work = operations(args.run)
    peaks = {name: peak(dtype) for name, dtype in PEAKS.items()}
    lines = [
        "| network | images/s | times eager | share of the matrix-product peak | mean IoU, test |",
        "|---|---|---|---|---|",
    ]
    for name, second in seconds.items():
        share = ""
        score = ""
        if name not in rivals_names():
            share = f"{work / second / peaks['bfloat16' if 'bfloat16' in name else 'float32']:.2f}"
        if name in SCORED and name in ours:
            score = f"{pixelwise.evaluate(ours[name], args.data, split='test').scores.mean_iou:.4f}"
        lines.append(
            f"| {name} | {1 / second:.1f} | {seconds[EAGER] / second:.2f} | {share} | {score} |"
        )
    listed = ", ".join(f"{name} {value / 1e12:.2f} TFLOP/s" for name, value in peaks.items())
    lines += [
        "",
        f"Peaks, a product of {PRODUCT} x {PRODUCT} matrices in PyTorch: {listed}. One image "
        "of 360 x 480 takes ",
    ]
    lines[-1] += f"{work / 1e9:.1f} GFLOP (two for a multiplication and addition)."
    command = f"python benchmarks/network.py RUN DATA --rounds {args.rounds} --images {args.images}"
    text = "\n".join(
        [
            "# The network alone\n",
            provenance(command + (" --int8 FILE" if args.int8 else "")),
            *lines,
            "",
        ]
    )
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


EAGER = "PyTorch, eager, float32"
SCORED = ("openvino float32", "openvino bfloat16", "openvino int8")
PEAKS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def loaded(args: argparse.Namespace) -> dict[str, pixelwise.Predictor]:
    found = {
        f"{runtime} {precision}": pixelwise.load(args.run, runtime=runtime, precision=precision)
        for runtime, precision in (
            ("torch", "float32"),
            ("torch", "bfloat16"),
            ("onnxruntime", "float32"),
            ("openvino", "float32"),
            ("openvino", "bfloat16"),
        )
    }
    if args.int8:
        found["openvino int8"] = pixelwise.load(args.int8, runtime="openvino")
        found["openvino int8, the rest bfloat16"] = pixelwise.load(
            args.int8, runtime="openvino", precision="bfloat16"
        )
    return found


def rivals_names() -> tuple[str, str]:
    return "torchvision fcn_resnet50, float32", "transformers SegFormer-B0, float32"


def rivals() -> dict[str, torch.nn.Module]:
    fcn, former = rivals_names()
    found = {
        fcn: torchvision.models.segmentation.fcn_resnet50(
            weights=None, weights_backbone=None, num_classes=11
        )
    }
    try:
        from transformers import SegformerConfig, SegformerForSemanticSegmentation
    except ImportError:
        return found
    return {**found, former: SegformerForSemanticSegmentation(SegformerConfig(num_labels=11))}


def eager(model: torch.nn.Module) -> Run:
    model = model.eval()

    @torch.inference_mode()
    def run(rgb: np.ndarray) -> object:
        return model(torch.from_numpy(rgb).float() / 255)

    return run


def best(runs: dict[str, Run], tiles: list[np.ndarray], rounds: int) -> dict[str, float]:
    """Seconds an image."""
    found = dict.fromkeys(runs, float("inf"))
    for number in range(rounds + 1):
        for name, run in runs.items():
            ours = name != EAGER and name not in rivals_names()
            few = tiles if ours or name == EAGER else tiles[:2]
            with ThreadPoolExecutor(WORKERS if ours else 1) as pool:
                start = time.perf_counter()
                list(pool.map(run, few))
                seconds = (time.perf_counter() - start) / len(few)
            if number:
                found[name] = min(found[name], seconds)
    return found


def operations(run: Path) -> float:
    """Floating point operations of one image, by PyTorch's own count."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        load_model(run)[0].eval()(torch.zeros(1, 3, 360, 480))
    return float(counter.get_total_flops())


def peak(dtype: torch.dtype) -> float:
    """Operations a second of the best of some matrix products."""
    a = torch.randn(PRODUCT, PRODUCT).to(dtype)
    b = torch.randn(PRODUCT, PRODUCT).to(dtype)
    seconds = float("inf")
    for _ in range(12):
        start = time.perf_counter()
        a @ b
        seconds = min(seconds, time.perf_counter() - start)
    return 2 * PRODUCT**3 / seconds


if __name__ == "__main__":
    main()
