"""Photos of any size: what the bundled model makes of VOC's photos when these are enlarged to so
many megapixels or reduced, as it does by itself and with --scale 1, and what a photo takes.

python benchmarks/any_size.py VOC PORTRAITS [--photos 50] [--native 5] [--tables few many ...]

Mean IoU is that of the classes present, pooled over the photos; seconds are processor time of
reading, labelling and encoding the mask. VOC and PORTRAITS are folders of data sets.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from machine import provenance
from PIL import Image

import pixelwise
from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.evaluation.class_match import match_classes
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import encode_labels, read_rgb

MEGAPIXELS = (1, 3, 12, 24)
THUMBNAILS = (100, 150, 200, 300)
# Of larger photos, every so many-th pixel is scored.
SCORED_ROWS = 1000
# Above so many megapixels --scale 1, whose tiles take a second each, is not measured.
MAX_NATIVE = 3
TABLES = ("few", "many", "small", "portraits")
Array = np.ndarray


class Bench:
    """A model against a data set whose photos are resized first."""

    def __init__(self, model: Predictor, dataset: DataSet, folder: Path) -> None:
        self.model = model
        self.dataset = dataset
        self.match = match_classes(model.classes, dataset.classes)
        self.folder = folder

    def measure(
        self, pairs: Sequence[Pair], side: float | None, scales: tuple[float, ...]
    ) -> tuple[float, float]:
        """Mean IoU of the classes present, and seconds a photo, at about `side` pixels a side."""
        classes = len(self.match.classes)
        counts = np.zeros((classes, classes), np.int64)
        seconds = 0.0
        for pair in pairs:
            photo, truth = self.resized(pair, side)
            start = time.process_time()
            result = self.model.predict(photo, scales=scales)
            encode_labels(result.labels, result.palette)
            seconds += time.process_time() - start
            step = max(1, len(truth) // SCORED_ROWS)
            labels = self.match.from_model[result.labels[::step, ::step]]
            truth = truth[::step, ::step]
            counted = (truth != VOID) & (labels != VOID)
            pairs_of_ids = truth[counted].astype(np.int64) * classes + labels[counted]
            counts += np.bincount(pairs_of_ids, minlength=classes**2).reshape(classes, classes)
        hits = np.diag(counts)
        union = counts.sum(0) + counts.sum(1) - hits
        present = counts.sum(1) > 0
        return float((hits[present] / union[present]).mean()), seconds / len(pairs)

    def resized(self, pair: Pair, side: float | None) -> tuple[Path, Array]:
        """A photo as a JPEG file, and its labels; unchanged without `side`."""
        rgb = read_rgb(pair.image)
        height, width = rgb.shape[:2]
        truth = self.match.truth(self.dataset.read_labels, pair, (height, width))
        if side is None:
            return pair.image, truth
        factor = side / np.sqrt(height * width)
        size = (round(width * factor), round(height * factor))
        path = self.folder / "photo.jpg"
        Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS).save(path, quality=92)
        return path, np.asarray(Image.fromarray(truth).resize(size, Image.Resampling.NEAREST))


def print_table(
    bench: Bench, pairs: Sequence[Pair], rows: dict[str, float | None], *, native: bool
) -> None:
    """A row for each side, with --scale 1 beside it where asked."""
    print(f"\n| {len(pairs)} photos | mean IoU | s |", "--scale 1 | s |" if native else "")
    print("|---|---|---|" + "---|---|" * native)
    for name, side in rows.items():
        cells = list(bench.measure(pairs, side, ()))
        if native and (side or 0) <= 1000 * MAX_NATIVE**0.5:
            cells += bench.measure(pairs, side, (1.0,))
        print(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("voc", type=Path)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--native", type=int, default=5)
    parser.add_argument("--megapixels", type=float, nargs="*", default=MEGAPIXELS)
    parser.add_argument("--tables", nargs="*", default=TABLES, choices=TABLES)
    args = parser.parse_args()
    print(provenance("python benchmarks/any_size.py VOC PORTRAITS"))
    model = pixelwise.load("animals")
    voc = open_dataset(args.voc, DataOptions())
    portraits = open_dataset(args.portraits, DataOptions())
    pairs = voc.pairs("val")
    many = pairs[:: len(pairs) // args.photos][: args.photos]
    few = pairs[:: len(pairs) // args.native][: args.native]
    own = {"as they are": None}
    large = own | {f"{size:g} megapixels": 1000 * size**0.5 for size in args.megapixels}
    small = {f"{side} pixels a side": float(side) for side in THUMBNAILS}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(model, voc, Path(folder))
        if "few" in args.tables:
            print_table(bench, few, large, native=True)
        if "many" in args.tables:
            print_table(bench, many, large, native=False)
        if "small" in args.tables:
            print_table(bench, many, small, native=True)
        if "portraits" in args.tables:
            bench = Bench(model, portraits, Path(folder))
            print_table(bench, portraits.pairs("test"), own, native=True)


if __name__ == "__main__":
    main()
