"""Plant label errors in a data set and count how many of the first suggestions of `pixelwise
suspects` are among them.

python benchmarks/suspects.py DATA RUN --split test --seeds 0 1 2 --out
benchmarks/results/suspects.md

5 % of the regions (pixels of one label that touch, 100 or more) are labelled wrongly: `swapped` to
another class drawn at random, or `forgotten`, where a region below a tenth of the image takes the
label that surrounds it most.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import provenance
from scipy import ndimage
from sklearn.metrics import roc_auc_score

import pixelwise
from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataSet
from pixelwise.evaluation.find_label_issues import find_label_issues
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import read_rgb, write_image, write_labels
from pixelwise.metrics.label_issues import find_suspect_regions

SMALLEST = 100
SHARE = 0.05
FIRST = (20, 50, 100)
KINDS = ("swapped", "forgotten")
RANKINGS = {
    "pixelwise suspects": "score of the regions of disagreement, as the command ranks them",
    "mean margin x root of "
    "area": "the same regions by how much likelier the prediction is than the label",
    "area": "the same regions by their size alone",
    "random region of disagreement": "the same regions in random order",
    "label region by "
    "self-confidence": "whole labelled regions by the mean probability of their label (Northcutt "
    "2021)",
    "random label region": "whole labelled regions in random order",
}


@dataclass(frozen=True)
class Image:
    probabilities: np.ndarray  # (C, H, W) float16
    labels: np.ndarray  # (H, W) as they are


@dataclass
class Tally:
    """(score, whether it is planted) by ranking of regions; of images likewise."""

    regions: dict[str, list[tuple[float, bool]]]
    images: dict[str, list[tuple[float, bool]]]
    planted: int = 0
    among: int = 0


def regions(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for label in np.unique(labels[labels != VOID]).tolist():
        numbered, _ = ndimage.label(labels == label)
        sizes = np.bincount(numbered.ravel())
        for number in np.flatnonzero(sizes >= SMALLEST):
            if number:
                yield label, numbered == number


def plant(
    images: list[Image], kind: str, seed: int
) -> tuple[list[tuple[np.ndarray, np.ndarray]], int, int]:
    """Labels with errors and where they are, by image; how many regions were changed, of how
    many.
    """
    rng = np.random.default_rng(seed)
    every = [
        (at, label, mask)
        for at, image in enumerate(images)
        for label, mask in regions(image.labels)
    ]
    done = [(image.labels.copy(), np.zeros(image.labels.shape, bool)) for image in images]
    count = 0
    for place in rng.choice(len(every), round(SHARE * len(every)), replace=False):
        at, label, mask = every[place]
        new = other(label, mask, images[at], kind, rng)
        if new is not None:
            done[at][0][mask] = new
            done[at][1][mask] = True
            count = count + 1
    return done, count, len(every)


def other(
    label: int, mask: np.ndarray, image: Image, kind: str, rng: np.random.Generator
) -> int | None:
    if kind == "swapped":
        return int(rng.choice([c for c in range(len(image.probabilities)) if c != label]))
    ring = image.labels[ndimage.binary_dilation(mask, iterations=2) & ~mask]
    ring = ring[(ring != VOID) & (ring != label)]
    return int(np.bincount(ring).argmax()) if len(ring) and mask.mean() < 0.1 else None


def tally(images: list[Image], kind: str, seed: int) -> Tally:
    done, count, among = plant(images, kind, seed)
    rng = np.random.default_rng(seed)
    result = Tally(
        {name: [] for name in RANKINGS}, {"worst region": [], "soft minimum": []}, count, among
    )
    for image, (labels, wrong) in zip(images, done, strict=True):
        given = np.take_along_axis(
            image.probabilities, np.where(labels == VOID, 0, labels)[None].astype(int), 0
        )[0]
        margin = image.probabilities.max(0).astype(np.float32) - given
        worst = 0.0
        for one in find_suspect_regions(labels, image.probabilities):
            top, left, bottom, right = one.box
            place = slice(top, bottom), slice(left, right)
            hit = bool(wrong[place][one.mask].mean() > 0.5)
            worst = max(worst, one.score)
            scores = (
                one.score,
                float(margin[place][one.mask].mean() * one.area**0.5),
                one.area,
                rng.random(),
            )
            for name, value in zip(list(RANKINGS)[:4], scores, strict=True):
                result.regions[name].append((value, hit))
        for _, mask in regions(labels):
            hit = bool(wrong[mask].mean() > 0.5)
            result.regions["label region by self-confidence"].append(
                (-float(given[mask].mean(dtype=float)), hit)
            )
            result.regions["random label region"].append((rng.random(), hit))
        result.images["worst region"].append((worst, bool(wrong.any())))
        result.images["soft minimum"].append(
            (-softmin(given[labels != VOID].astype(float)), bool(wrong.any()))
        )
    return result


def softmin(given: np.ndarray, temperature: float = 0.1) -> float:
    """The label quality of an image after Lad and Mueller 2023: the soft minimum of its pixels'
    self-confidence.
    """
    weights = np.exp((1 - given) / temperature)
    return float((given * weights).sum() / weights.sum())


def precision(scored: list[tuple[float, bool]], first: int) -> float:
    ranked = sorted(scored, key=lambda pair: -pair[0])
    return float(np.mean([hit for _, hit in ranked[:first]]))


def section(kind: str, tallies: list[Tally]) -> Iterator[str]:
    planted = ", ".join(f"{t.planted} of {t.among}" for t in tallies)
    yield f"## {kind} ({planted} regions)\n"
    yield f"| ranking | {' | '.join(f'first {first}' for first in FIRST)} | of first 50, by seed |"
    yield "|---" * (len(FIRST) + 2) + "|"
    for name in RANKINGS:
        means = [np.mean([precision(t.regions[name], first) for t in tallies]) for first in FIRST]
        single = " ".join(f"{precision(t.regions[name], 50):.2f}" for t in tallies)
        yield f"| {name} | {' | '.join(f'{mean:.2f}' for mean in means)} | {single} |"
    worst, softest = (
        np.mean([area(t.images[name]) for t in tallies])
        for name in ("worst region", "soft minimum")
    )
    yield "\nImages with a planted error told from those without, area under the ROC curve:"
    how = "by the soft minimum of self-confidence (Lad and Mueller 2023)"
    yield f"{worst:.3f} by their worst region, {softest:.3f} {how}.\n"


def area(scored: list[tuple[float, bool]]) -> float:
    return float(roc_auc_score([hit for _, hit in scored], [value for value, _ in scored]))


def write_planted(folder: Path, dataset: DataSet, split: str, labels: list[np.ndarray]) -> None:
    """The set with its errors as a plain folder."""
    (folder / "images" / split).mkdir(parents=True)
    (folder / "masks" / split).mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(dataset.classes.names) + "\n", encoding="utf-8")
    for pair, ids in zip(dataset.pairs(split), labels, strict=True):
        write_image(folder / "images" / split / f"{pair.name}.png", read_rgb(pair.image))
        write_labels(folder / "masks" / split / f"{pair.name}.png", ids, dataset.classes.palette)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--look", type=Path, help="write the set with the swapped regions of the first seed here"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dataset = open_dataset(args.data)
    predictor = pixelwise.load(args.run)
    if predictor.classes.names != dataset.classes.names:
        raise SystemExit(f"{args.run}: other classes than the data's")
    images = [
        look(predictor, dataset, at, args.split) for at in range(len(dataset.pairs(args.split)))
    ]
    command = f"python benchmarks/suspects.py DATA {args.run.name} --split {args.split} --seeds "
    lines = ["# Planted label errors\n", provenance(command + " ".join(map(str, args.seeds)))]
    lines.append(f"{len(images)} images of {args.split}. {__doc__.split(chr(10) * 2)[2].strip()}\n")
    lines.append(
        "Share of the first suggestions that lie for the most part on planted pixels, mean of "
        "the seeds.\n"
    )
    for kind in KINDS:
        lines += section(kind, [tally(images, kind, seed) for seed in args.seeds])
    lines += [
        "The rankings:\n",
        *(f"- {name}: {meaning}" for name, meaning in RANKINGS.items()),
        "",
    ]
    args.out.write_text("\n".join(lines), encoding="utf-8")
    sys.stdout.write("\n".join(lines))
    if args.look:
        done = plant(images, "swapped", args.seeds[0])[0]
        write_planted(args.look / "data", dataset, args.split, [labels for labels, _ in done])
        find_label_issues(
            predictor, args.look / "data", out=args.look / "suspects", split=args.split
        )


def look(predictor: Predictor, dataset: DataSet, at: int, split: str) -> Image:
    pair = dataset.pairs(split)[at]
    found = predictor.predict(pair.image, scores="probabilities")
    return Image(found.scores["probabilities"], dataset.read_labels(pair.mask))


if __name__ == "__main__":
    main()
