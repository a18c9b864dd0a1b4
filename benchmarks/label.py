"""A robot annotator: mean IoU on photos never touched against annotator minutes.

python benchmarks/label.py DATA --seeds 0 1 2 --contestants live forest --out FOLDER

One line of JSON for each contestant and seed goes to FOLDER/robot.jsonl when it is done, and the
masks of what was painted to FOLDER/NAME-CONTESTANT-SEED, a data set that `train` takes.

The rules, written down before anything was tuned to them:

1. The pool is `--pool` images of the split train, the test `--test` images of the scored split, both
   every n-th of the split; nobody paints on the test. The order of the pool follows from the
   seed; its first image comes first.
2. On a new image the robot sees the prediction of all strokes so far. A region is wrong where
   pixels that touch (sides to sides) have one true class and are predicted as another; void is never
   wrong. While there is no prediction every region is wrong of whose class nothing is painted yet.
3. Each step is one stroke in the largest wrong region of the image in hand: it begins at the
   region's inmost pixel (the one farthest from its edge), and goes straight, in that of 16
   directions in which it stays in the region longest, to both sides, 60 pixels at most in all. The
   brush has a radius of half the inmost pixel's distance to the edge, 8 pixels at most, and the
   stroke ends where the brush would leave the region. Its class is the true one.
4. After `--strokes` strokes, or when less than 3 % of the image's pixels are in wrong regions, the
   robot asks for the next image: the one that the contestant proposes (the live model by doubt and
   novelty, the others by the order of the pool).
5. A step costs 2 s, the stroke's length at 200 pixels/s, and the wait for the answer; a new image
   costs 2 s. The wait is WAIT_S for every contestant, so that a busy machine changes nothing (the
   CPU time that it took is reported beside it); features of an image are computed while the robot works on the one before, and cost nothing.
6. At each minute of MARKS the model labels the test images: one pooled confusion matrix.

Contestants: `live`, as `pixelwise label` has it; `forest`, a random forest of 100 trees on the
classical filter bank (Gaussians, gradients, Laplacians, eigenvalues of Hessian and structure tensor
at sigma 0.7 to 10, as ilastik has them), fitted on the same pixels of the same strokes.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from machine import provenance
from PIL import Image
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.io.images import read_rgb
from pixelwise.labelling.features import FeatureExtractor, measure_pixels
from pixelwise.labelling.next_photo import Doubt, rank_photos
from pixelwise.labelling.photo_features import PhotoFeatures
from pixelwise.labelling.predictions import HeadPrediction
from pixelwise.labelling.rasterise import Box
from pixelwise.labelling.samples import SampleStore, fit_training_set
from pixelwise.labelling.strokes import UNLABELLED, Stroke
from pixelwise.labelling.vectors import choose_pixels

MARKS = (2, 5, 10)
VOID = 255
STEP_S = 2.0
PIXELS_PER_S = 200.0
WAIT_S = 0.3
SIGMAS = (0.7, 1.0, 1.6, 3.5, 5.0, 10.0)


@dataclass(frozen=True)
class Sample:
    path: Path
    rgb: np.ndarray  # (H, W, 3)
    truth: np.ndarray  # (H, W)


def load(dataset: DataSet, pairs: tuple[Pair, ...], count: int) -> list[Sample]:
    count = min(count, len(pairs))
    chosen = [pairs[number * len(pairs) // count] for number in range(count)]
    return [
        Sample(Path(pair.image), read_rgb(pair.image), dataset.read_labels(pair.mask))
        for pair in chosen
    ]


class Live:
    """The live model of `pixelwise label`."""

    def __init__(self, pool: list[Sample], test: list[Sample], classes: int) -> None:
        extractor = FeatureExtractor()

        def features(sample: Sample) -> PhotoFeatures:
            pyramid = {1: measure_pixels(sample.rgb), **extractor.extract(sample.rgb)}
            return PhotoFeatures(pyramid, 0)

        self.pool = [features(sample) for sample in pool]
        self.test = [features(sample) for sample in test]
        rng = np.random.default_rng(0)
        self.places = [
            (rng.integers(0, s.truth.shape[0], 64), rng.integers(0, s.truth.shape[1], 64))
            for s in pool
        ]
        self.names = tuple(map(str, range(classes)))
        self.reset()

    def reset(self) -> None:
        self.store = SampleStore()
        self.strokes: dict[int, dict[int, Stroke]] = {}
        self.labels: dict[int, np.ndarray] = {}
        self.number = 0
        self.head = None

    def add(self, place: int, stroke: Stroke, size: tuple[int, int]) -> None:
        labels = self.labels.setdefault(place, np.full(size, UNLABELLED, np.uint8))
        stroke.paint(labels)
        self.number += 1
        active = self.strokes.setdefault(place, {})
        active[self.number] = stroke
        self.store.add(str(place), self.number, stroke, size, self.pool[place])
        self.store.refresh(str(place), labels, active)
        data = self.store.training_set(np.arange(256, dtype=np.uint8))
        if data is not None:
            self.head = fit_training_set(data, tuple(map(int, np.unique(data.keys))))

    def predict(self, place: int, *, of_test: bool = False) -> np.ndarray | None:
        if self.head is None:
            return None
        features = (self.test if of_test else self.pool)[place]
        return HeadPrediction(features, self.head).window(Box(0, 0, *features.size)).labels

    def next(self, left: list[int]) -> int:
        if self.head is None:
            return left[0]
        doubts = {}
        for place in left:
            logits = self.head.logits(self.pool[place].at(*self.places[place]))
            doubts[str(place)] = Doubt.of(logits, tuple(self.names[k] for k in self.head.keys))
        means = {
            str(n): item.pyramid[32].astype(np.float32).mean(axis=(1, 2))
            for n, item in enumerate(self.pool)
        }
        return int(rank_photos(means, doubts, [str(n) for n in self.strokes])[0].name)


class Forest:
    """A random forest on classical filters."""

    def __init__(self, pool: list[Sample], test: list[Sample], classes: int) -> None:
        self.pool = [sample.rgb for sample in pool]
        # every second pixel: the whole would take several times as long
        self.test = [filter_bank(sample.rgb)[:, ::2, ::2].copy() for sample in test]
        self.sizes = [sample.truth.shape for sample in test]
        self.planes: dict[int, np.ndarray] = {}
        self.reset()

    def reset(self) -> None:
        self.labels: dict[int, np.ndarray] = {}
        self.rows: list[tuple[int, np.ndarray, np.ndarray]] = []
        self.vectors: list[np.ndarray] = []
        self.forest: RandomForestClassifier | None = None

    def add(self, place: int, stroke: Stroke, size: tuple[int, int]) -> None:
        labels = self.labels.setdefault(place, np.full(size, UNLABELLED, np.uint8))
        stroke.paint(labels)
        self.rows.append((place, *choose_pixels(stroke, size, len(self.rows))))
        values = self.bank(place)
        self.vectors.append(values[:, self.rows[-1][1], self.rows[-1][2]].T)
        vectors = np.concatenate(self.vectors)
        keys = np.concatenate([self.labels[p][r, c] for p, r, c in self.rows])
        if len(np.unique(keys)) > 1:
            forest = RandomForestClassifier(100, n_jobs=1, random_state=0)
            self.forest = forest.fit(vectors.astype(np.float32), keys)

    def predict(self, place: int, *, of_test: bool = False) -> np.ndarray | None:
        if self.forest is None:
            return None
        step = 2 if of_test else 4
        values = self.test[place] if of_test else self.bank(place)[:, ::4, ::4]
        height, width = self.sizes[place] if of_test else self.pool[place].shape[:2]
        labels = self.forest.predict(values.reshape(len(values), -1).T.astype(np.float32))
        labels = labels.reshape(values.shape[1:]).repeat(step, axis=0).repeat(step, axis=1)
        return labels[:height, :width]

    def bank(self, place: int) -> np.ndarray:
        """The planes of an image of the pool; those of the last ones are held."""
        if place not in self.planes:
            if len(self.planes) > 2:
                del self.planes[next(iter(self.planes))]
            self.planes[place] = filter_bank(self.pool[place])
        return self.planes[place]

    def next(self, left: list[int]) -> int:
        return left[0]


def filter_bank(rgb: np.ndarray) -> np.ndarray:
    """(F, H, W) float16: colours, and of the brightness at each sigma its Gaussian, gradient,
    Laplacian, and the eigenvalues of Hessian and structure tensor; Gaussians of the colours too.
    """
    colours = rgb.astype(np.float32).transpose(2, 0, 1) / 255
    grey = colours.mean(axis=0)
    planes = [*colours]
    for sigma in SIGMAS:
        planes += [ndimage.gaussian_filter(plane, sigma) for plane in colours]
        first = [ndimage.gaussian_filter(grey, sigma, order=order) for order in ((1, 0), (0, 1))]
        second = [
            ndimage.gaussian_filter(grey, sigma, order=order) for order in ((2, 0), (0, 2), (1, 1))
        ]
        planes += [np.hypot(*first), second[0] + second[1], *eigenvalues(*second)]
        tensor = [first[0] ** 2, first[1] ** 2, first[0] * first[1]]
        planes += eigenvalues(*(ndimage.gaussian_filter(plane, sigma) for plane in tensor))
    return np.stack(planes).astype(np.float16)


def eigenvalues(down: np.ndarray, across: np.ndarray, mixed: np.ndarray) -> list[np.ndarray]:
    mean = (down + across) / 2
    spread = np.hypot((down - across) / 2, mixed)
    return [mean + spread, mean - spread]


def largest_wrong(
    truth: np.ndarray, predicted: np.ndarray | None, painted: set[int]
) -> tuple[np.ndarray | None, int, float]:
    """The largest wrong region (H, W), its true class, and the share of pixels that are wrong."""
    best = None
    size = 0
    label = 0
    wrong = (truth != VOID) & (
        ~np.isin(truth, list(painted)) if predicted is None else truth != predicted
    )
    for key in np.unique(truth[wrong]):
        regions, _ = ndimage.label(wrong & (truth == key))
        sizes = np.bincount(regions.ravel())
        sizes[0] = 0
        if sizes.max() > size:
            size = int(sizes.max())
            best = regions == sizes.argmax()
            label = int(key)
    return best, label, float(wrong.mean())


def draw_stroke(region: np.ndarray, label: int) -> tuple[Stroke, float]:
    """The robot's stroke (rule 3) and its length."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    radius = float(min(depth.max() / 2, 8))
    best: tuple[float, tuple[tuple[float, float], tuple[float, float]]] = (-1, ((0, 0), (0, 0)))
    for angle in np.arange(16) * np.pi / 16:
        ends = []
        for sign in (-1, 1):
            reach = 0
            while reach < 30:
                y = int(row + sign * (reach + 1) * np.sin(angle))
                x = int(column + sign * (reach + 1) * np.cos(angle))
                inside = 0 <= y < region.shape[0] and 0 <= x < region.shape[1]
                if not inside or depth[y, x] < radius:
                    break
                reach += 1
            ends.append(
                (
                    column + 0.5 + sign * reach * np.cos(angle),
                    row + 0.5 + sign * reach * np.sin(angle),
                )
            )
        length = float(np.hypot(ends[0][0] - ends[1][0], ends[0][1] - ends[1][1]))
        if length > best[0]:
            best = (length, (ends[0], ends[1]))
    height, width = region.shape
    points = tuple((min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in best[1])
    return Stroke("brush", label, points, radius), best[0]


def mean_iou(contestant: object, test: list[Sample], classes: int) -> float:
    matrix = np.zeros((classes, classes), np.int64)
    for place, sample in enumerate(test):
        predicted = contestant.predict(place, of_test=True)
        if predicted is None:
            return 0.0
        valid = (sample.truth != VOID) & (predicted < classes)
        pairs = sample.truth[valid].astype(np.int64) * classes + predicted[valid]
        matrix += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    union = matrix.sum(0) + matrix.sum(1) - matrix.diagonal()
    return float(np.mean(matrix.diagonal()[union > 0] / union[union > 0]))


def annotate(
    contestant: object,
    pool: list[Sample],
    test: list[Sample],
    classes: int,
    options: argparse.Namespace,
    seed: int,
) -> tuple[dict[float, float], list[float]]:
    """Mean IoU by minute, and the waits of all strokes in seconds."""
    contestant.reset()
    left = [int(place) for place in np.random.default_rng(seed).permutation(len(pool))]
    marks = [mark for mark in MARKS if mark <= options.minutes]
    scores: dict[float, float] = {}
    waits: list[float] = []
    painted = set[int]()
    clock = 0.0
    while len(scores) < len(marks) and left:
        place = contestant.next(left)
        left.remove(place)
        clock += STEP_S
        sample = pool[place]
        predicted = contestant.predict(place)
        for _ in range(options.strokes):
            while len(scores) < len(marks) and clock >= 60 * marks[len(scores)]:
                scores[marks[len(scores)]] = mean_iou(contestant, test, classes)
            region, label, share = largest_wrong(sample.truth, predicted, painted)
            if region is None or share < 0.03:
                break
            stroke, length = draw_stroke(region, label)
            painted.add(label)
            start = time.process_time()
            contestant.add(place, stroke, sample.truth.shape)
            predicted = contestant.predict(place)
            waits.append(time.process_time() - start)
            clock += STEP_S + length / PIXELS_PER_S + WAIT_S
    for mark in marks[len(scores) :]:
        scores[mark] = mean_iou(contestant, test, classes)
    return scores, waits


def save_masks(
    contestant: object, pool: list[Sample], dataset: DataSet, folder: Path, seed: int
) -> None:
    """Leave what was painted as a data set, and the split that the whole set has for its test."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    for place, labels in contestant.labels.items():
        path = pool[place].path
        link = folder / "images" / path.name
        link.unlink(missing_ok=True)
        link.symlink_to(path.resolve())
        ids = np.where(labels == UNLABELLED, VOID, labels).astype(np.uint8)
        Image.fromarray(ids).save(folder / "masks" / f"{path.stem}.png")
    names = {str(number): name for number, name in enumerate(dataset.classes.names)}
    (folder / "classes.json").write_text(json.dumps(names))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pool", type=int, default=60)
    parser.add_argument("--test", type=int, default=60)
    parser.add_argument("--strokes", type=int, default=8)
    parser.add_argument("--contestants", nargs="+", default=["live", "forest"])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    dataset = open_dataset(options.data, DataOptions())
    classes = len(dataset.classes)
    pool = load(dataset, dataset.pairs("train"), options.pool)
    test = load(dataset, dataset.pairs(dataset.scored()), options.test)
    kinds: dict[str, Callable[..., object]] = {"live": Live, "forest": Forest}
    name = Path(options.data).name
    command = f"python benchmarks/{' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}"
    print(provenance(command))
    for kind in options.contestants:
        contestant = kinds[kind](pool, test, classes)
        for seed in options.seeds:
            scores, waits = annotate(contestant, pool, test, classes, options, seed)
            median, high = np.quantile(waits, (0.5, 0.95))
            line = {
                "set": name,
                "classes": classes,
                "pool": len(pool),
                "test": len(test),
                "contestant": kind,
                "seed": seed,
                "mean_iou": {str(mark): round(score, 4) for mark, score in scores.items()},
                "strokes": len(waits),
                "photos": len(contestant.labels),
                "cpu_wait_median_s": round(float(median), 3),
                "cpu_wait_95_s": round(float(high), 3),
            }
            with (options.out / "robot.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)
            save_masks(contestant, pool, dataset, options.out / f"{name}-{kind}-{seed}", seed)


if __name__ == "__main__":
    main()
