"""What refining borders after the network is worth: mean IoU, boundary IoU and processor time.

python benchmarks/borders.py MODEL DATA --images 60 --out OUT.md

The probabilities of the network at the image's own size are labelled as they are, after a guided
filter with the image as guide (He, Sun, Tang, TPAMI 2013, equation 14, the colour guide), and after
mean-field steps of a conditional random field whose pairs lie in a window (Teichmann, Cipolla,
ConvCRFs, 2018; kernels of Krahenbuhl, Koltun, NIPS 2011, equation 3). The first images of the test
split, one thread.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from machine import provenance
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from torch.nn import functional as F

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.metrics.boundary import BoundaryScores
from pixelwise.metrics.confusion import ConfusionMatrix

Floats = NDArray[np.float32]
Refine = Callable[[Floats, Floats], Floats]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = pixelwise.load(options.model)
    data = open_dataset(options.data, DataOptions())
    pairs = data.splits["test"]
    pairs = pairs[:: max(1, len(pairs) // options.images)][: options.images]
    classes = len(model.classes)
    ways = {"as it is": lambda probabilities, rgb: probabilities, **refinements()}
    tallies = {name: (ConfusionMatrix(classes), BoundaryScores(classes), []) for name in ways}
    network = []
    for pair in pairs:
        truth = data.read_labels(pair.mask)
        start = time.process_time()
        result = model.predict(pair.image, scores="probabilities")
        network.append(time.process_time() - start)
        probabilities = result.scores["probabilities"].astype(np.float32)  # (C, H, W)
        rgb = result.rgb.astype(np.float32) / 255
        for name, refine in ways.items():
            matrix, boundary, seconds = tallies[name]
            start = time.process_time()
            labels = refine(probabilities, rgb).argmax(0).astype(np.uint8)
            seconds.append(time.process_time() - start)
            matrix.update(torch.from_numpy(truth), torch.from_numpy(labels))
            boundary.update(truth, labels)
    lines = ["| | mean IoU | mean boundary IoU | ms a photo more |", "|---|---|---|---|"]
    for name, (matrix, boundary, seconds) in tallies.items():
        more = 1000 * np.median(seconds)
        iou = np.nanmean(boundary.iou)
        lines.append(f"| {name} | {matrix.scores().mean_iou:.4f} | {iou:.4f} | {more:.0f} |")
    lines.append(f"\nThe network: {1000 * np.median(network):.0f} ms; {len(pairs)} photos.")
    print("\n".join(lines))
    if options.out:
        command = f"python benchmarks/borders.py {' '.join(sys.argv[1:])}"
        options.out.write_text("\n".join([provenance(command), *lines, ""]), encoding="utf-8")


def refinements() -> dict[str, Refine]:
    ways: dict[str, Refine] = {}
    for radius in (2, 4, 8):
        for epsilon in (1e-2, 1e-3, 1e-4):
            ways[f"guided filter, radius {radius}, epsilon {epsilon:g}"] = guided(radius, epsilon)
    for weight in (1.0, 3.0):
        for contrast in (0.05, 0.15):
            name = f"random field, window 9, weight {weight:g}, colour {contrast:g}"
            ways[name] = random_field(weight, contrast)
    return ways


def guided(radius: int, epsilon: float) -> Refine:
    def refine(probabilities: Floats, rgb: Floats) -> Floats:
        box = lambda values: uniform_filter(values, 2 * radius + 1, mode="nearest")  # noqa: E731
        bands = np.moveaxis(rgb, 2, 0)
        means = np.stack([box(band) for band in bands])  # (3, H, W)
        covariance = np.empty((*rgb.shape[:2], 3, 3), np.float32)
        for row in range(3):
            for column in range(row, 3):
                value = box(bands[row] * bands[column]) - means[row] * means[column]
                covariance[..., row, column] = value
                covariance[..., column, row] = value
        covariance += epsilon * np.eye(3, dtype=np.float32)
        inverse = np.linalg.inv(covariance)  # (H, W, 3, 3)
        refined = np.empty_like(probabilities)
        for index, scores in enumerate(probabilities):
            mean = box(scores)
            joint = np.stack([box(band * scores) for band in bands]) - means * mean
            slopes = np.einsum("hwij,jhw->ihw", inverse, joint)
            offset = mean - (slopes * means).sum(0)
            refined[index] = sum(
                (box(slope) * band for slope, band in zip(slopes, bands, strict=True)), box(offset)
            )
        return refined

    return refine


def random_field(weight: float, contrast: float, *, reach: int = 4, steps: int = 5) -> Refine:
    def refine(probabilities: Floats, rgb: Floats) -> Floats:
        unary = torch.from_numpy(probabilities).clamp_min(1e-6).log()
        image = F.pad(torch.from_numpy(np.moveaxis(rgb, 2, 0))[None], [reach] * 4, mode="replicate")
        height, width = rgb.shape[:2]
        shifts = [
            (y, x)
            for y in range(-reach, reach + 1)
            for x in range(-reach, reach + 1)
            if (y, x) != (0, 0)
        ]
        cut = lambda padded, y, x: padded[..., reach + y :, reach + x :][..., :height, :width]  # noqa: E731
        kernels = []
        for y, x in shifts:
            difference = (cut(image, y, x) - cut(image, 0, 0)).square().sum(1)[0]
            near = (y * y + x * x) / (2 * (reach / 2) ** 2)
            kernels.append(torch.exp(-near - difference / (2 * contrast**2)))
        total = torch.stack(kernels).sum(0).clamp_min(1e-6)
        beliefs = unary.softmax(0)
        for _ in range(steps):
            padded = F.pad(beliefs[None], [reach] * 4, mode="replicate")[0]
            message = torch.zeros_like(beliefs)
            for (y, x), kernel in zip(shifts, kernels, strict=True):
                message.addcmul_(kernel, cut(padded, y, x))
            beliefs = (unary + weight * message / total).softmax(0)
        return beliefs.numpy()

    return refine


if __name__ == "__main__":
    main()
