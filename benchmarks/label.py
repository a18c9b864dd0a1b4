"""A robot annotator: mean IoU on photos never touched against annotator minutes.

python benchmarks/label.py DATA --seeds 0 1 2 --contestants live forest --out FOLDER

One line of JSON for each contestant and seed goes to FOLDER/robot.jsonl when it is done, and the
masks of what was painted to FOLDER/NAME-CONTESTANT-SEED, a data set that `train` takes.

The contestants are in label_contestants.py: `live`, as `pixelwise label` has it; `forest`, a random
forest on classical filters.

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
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from label_contestants import CONTESTANTS, VOID, Sample
from machine import provenance
from PIL import Image
from scipy import ndimage

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.io.images import read_rgb
from pixelwise.labelling.strokes import UNLABELLED, Stroke

MARKS = (2, 5, 10)
STEP_S = 2.0
PIXELS_PER_S = 200.0
WAIT_S = 0.3


def load(dataset: DataSet, pairs: tuple[Pair, ...], count: int) -> list[Sample]:
    count = min(count, len(pairs))
    chosen = [pairs[number * len(pairs) // count] for number in range(count)]
    return [
        Sample(Path(pair.image), read_rgb(pair.image), dataset.read_labels(pair.mask))
        for pair in chosen
    ]


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


def paint_and_score(
    contestant: object,
    pool: list[Sample],
    test: list[Sample],
    dataset: DataSet,
    options: argparse.Namespace,
    seed: int,
    folder: Path,
) -> dict[str, object]:
    """One robot's run, its masks in `folder`."""
    scores, waits = annotate(contestant, pool, test, len(dataset.classes), options, seed)
    median, high = np.quantile(waits, (0.5, 0.95))
    save_masks(contestant, pool, dataset, folder, seed)
    return {
        "mean_iou": {str(mark): round(score, 4) for mark, score in scores.items()},
        "strokes": len(waits),
        "photos": len(contestant.labels),
        "cpu_wait_median_s": round(float(median), 3),
        "cpu_wait_95_s": round(float(high), 3),
    }


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
    pool = load(dataset, dataset.pairs("train"), options.pool)
    test = load(dataset, dataset.pairs(dataset.scored()), options.test)
    name = Path(options.data).name
    command = f"python benchmarks/{' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}"
    print(provenance(command))
    for kind in options.contestants:
        contestant = CONTESTANTS[kind](pool, test, len(dataset.classes))
        for seed in options.seeds:
            line = {"set": name, "classes": len(dataset.classes), "contestant": kind, "seed": seed}
            line |= {"pool": len(pool), "test": len(test)}
            folder = options.out / f"{name}-{kind}-{seed}"
            line |= paint_and_score(contestant, pool, test, dataset, options, seed, folder)
            with (options.out / "robot.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
