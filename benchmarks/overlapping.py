"""Classes that overlap, learned with all classes of a pixel and with one.

python benchmarks/overlapping.py

Discs and squares lie over each other and shine through; IoU of each class against its whole layer,
with `train --multilabel` and without. A table goes to the terminal.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.metrics.layer_counts import LayerCounts
from pixelwise.progress import Progress


def draw_layers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """RGB (H, W, 3) of discs that add red and squares that add blue to a noisy ground, and their
    layers (2, H, W): about half of what is drawn lies under the other class.
    """
    side = 128
    y, x = np.mgrid[:side, :side]
    layers = np.zeros((2, side, side), bool)
    for _ in range(3):
        row, column = rng.uniform(10, side - 10, 2)
        radius = rng.uniform(14, 30)
        layers[0] |= np.hypot(y - row, x - column) < radius
        row += rng.uniform(-radius, radius)
        column += rng.uniform(-radius, radius)
        layers[1] |= np.maximum(abs(y - row), abs(x - column)) < rng.uniform(12, 26)
    rgb = np.full((side, side, 3), 90.0) + rng.uniform(-20, 20, 3)
    rgb[layers[0]] += (80, 0, -20)
    rgb[layers[1]] += (-20, 20, 90)
    rgb += rng.normal(0, 8, rgb.shape)
    return rgb.clip(0, 255).astype(np.uint8), layers


def write_layers(root: Path) -> None:
    """A data set with a mask a class."""
    for split, count, seed in (("train", 60, 1), ("val", 12, 2), ("test", 40, 3)):
        rng = np.random.default_rng(seed)
        for number in range(count):
            rgb, layers = draw_layers(rng)
            files = {f"images/{split}/{number:03}.png": rgb}
            for name, layer in zip(("disc", "square"), layers, strict=True):
                files[f"masks/{split}/{number:03}_{name}.png"] = layer * np.uint8(255)
            for name, pixels in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)


def run_layers(args: argparse.Namespace) -> None:
    """IoU of each class against its layer, of a model of layers and one of a class a pixel."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        write_layers(root)
        reading = pixelwise.DataOptions(multilabel=True)
        dataset = open_dataset(root, reading, layers=True)
        # colours tell all: a network of a few seconds a hundred steps will do
        options = {"encoder": "test_resnet", "decoder": "unet", "weights": "none"}
        options |= {"epochs": args.epochs, "crop": (128, 128), "predict_scale": 1.0}
        print("| trained with | disc IoU | square IoU | mean IoU | threshold | processor s |")
        print("|---|---|---|---|---|---|")
        for multilabel in (True, False):
            begin = time.process_time()
            run = Path(folder) / f"run-{multilabel}"
            pixelwise.train(root, run, multilabel=multilabel, progress=Progress(), **options)
            seconds = time.process_time() - begin
            model = pixelwise.load(run, layers=True)
            counts = LayerCounts(2)
            for pair in dataset.pairs("test"):
                if isinstance(model, LayerPredictor):
                    layers = model.predict_layers(pair.image).layers
                else:  # 0 is the background
                    layers = np.stack([model.predict(pair.image).labels == n for n in (1, 2)])
                truth = dataset.read_labels(pair.mask)
                counts.update(torch.from_numpy(truth), torch.from_numpy(layers))
            scores = counts.scores()
            way = "`--multilabel`" if multilabel else "one class a pixel"
            thresholds = getattr(model, "thresholds", ())
            print(
                f"| {way} | {scores.iou[0]:.3f} | {scores.iou[1]:.3f} | {scores.mean_iou:.3f} | "
                f"{', '.join(f'{value:.2f}' for value in thresholds)} | {seconds:.0f} |"
            )
        truths = [dataset.read_labels(pair.mask) == 1 for pair in dataset.pairs("test")]
        twice = sum(int(truth.all(0).sum()) for truth in truths)
        drawn = sum(int(truth.any(0).sum()) for truth in truths)
        print(f"of the pixels drawn on, {twice / drawn:.0%} are of both classes")


def main() -> None:
    """Train and score both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=12)
    run_layers(parser.parse_args())


if __name__ == "__main__":
    main()
