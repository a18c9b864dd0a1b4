"""Fewer labels: masks alone beside masks and a pool of photos without masks, at equal minutes.

python benchmarks/less.py --data VOC --pool PHOTOS --labels 46 92 183 --minutes 12 --work WORK

VOC is a data set with a test split; its first training images at even steps are the labelled ones,
and PHOTOS holds none of its images. Each arm is `pixelwise train` with nothing set but the minutes,
of processor time on one thread as in defaults.py; the second has --unlabelled. --foreign adds
photos of another kind to the pool, a third of it. An arm that is finished in WORK is not run again.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from defaults import OURS, result_of
from machine import provenance
from PIL import Image

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.metrics.bootstrap import paired_bootstrap


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--foreign", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[46, 92, 183])
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pool = options.pool
    if options.foreign:
        pool = mix(options.pool, options.foreign, options.work / "mixed")
    lines = [
        "| labelled photos | masks alone | with the pool | gain, 95 % |",
        "|---|---|---|---|",
    ]
    for count in options.labels:
        data = labelled(options.data, count, options.work)
        arms = {
            "alone": "",
            "mixed" if options.foreign else "pool": f"--unlabelled {pool}",
        }
        runs = [run_of(name, words, count, data, options) for name, words in arms.items()]
        lines.append(row_of(count, data, runs))
        print(lines[-1], flush=True)
    if options.out:
        command = f"python benchmarks/less.py {' '.join(sys.argv[1:])}"
        options.out.write_text("\n".join([provenance(command), *lines, ""]), encoding="utf-8")


def labelled(source: Path, count: int, work: Path) -> Path:
    """A folder of `count` training photos at even steps, and all test photos."""
    root = work / "data" / f"{source.name}-{count}"
    if root.exists():
        return root
    data = open_dataset(source, DataOptions())
    held = [pair for split in ("train", "val") for pair in data.splits.get(split, ())]
    held.sort(key=lambda pair: pair.name)
    step = len(held) / count
    chosen = [held[int(index * step)] for index in range(count)]
    for split, pairs in (("train", chosen), ("test", data.pairs("test"))):
        for pair in pairs:
            image = root / "images" / split / pair.image.name
            mask = root / "masks" / split / f"{pair.image.stem}.png"
            for path in (image, mask):
                path.parent.mkdir(parents=True, exist_ok=True)
            image.symlink_to(pair.image.resolve())
            Image.fromarray(data.read_labels(pair.mask)).save(mask)
    (root / "classes.txt").write_text("\n".join(data.classes.names) + "\n")
    return root


def mix(pool: Path, foreign: Path, folder: Path) -> Path:
    """Links to the pool's photos, and to half as many foreign ones."""
    folder.mkdir(parents=True, exist_ok=True)
    own = sorted(pool.iterdir())
    others = sorted(foreign.iterdir())[: len(own) // 2]
    for path in (*own, *others):
        link = folder / f"{path.parent.name}_{path.name}"
        if not link.exists():
            link.symlink_to(path.resolve())
    return folder


def run_of(name: str, words: str, count: int, data: Path, options: argparse.Namespace) -> Path:
    arm = argparse.Namespace(**{**vars(options), "name": name, "options": words})
    result_of(OURS, f"labels{count}", data, arm)
    return options.work / f"labels{count}" / f"{name}-{60 * options.minutes:.0f}s-{options.seed}"


def row_of(count: int, data: Path, runs: list[Path]) -> str:
    results = [pixelwise.evaluate(pixelwise.load(run), data) for run in runs]
    alone, pool = (result.scores.mean_iou for result in results)
    names = list(results[0].counts)
    counts = np.array([[result.counts[name] for name in names] for result in results[::-1]])
    gain, _ = paired_bootstrap(counts)
    return (
        f"| {count} | {alone:.3f} | {pool:.3f} | {gain.value:+.3f} "
        f"({gain.low:+.3f} to {gain.high:+.3f}) |"
    )


if __name__ == "__main__":
    main()
