"""What each ingredient of the default training is worth: each is taken away in turn.

python benchmarks/ablation.py DATA --epochs 10 --crop 192 256 --work WORK --out
benchmarks/results/ablation.md

One training after the other, each with all of the machine, or `--at-once` several, each with its
share of the cores; scored on the whole images of `val` after every epoch, and the best epoch
counts. A training whose folder in WORK is finished is not run again, so that seeds may be added
later.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from queue import SimpleQueue

from machine import on_share, provenance

from pixelwise.training.history import read_history

ARMS = {
    "the defaults": "",
    "no weights of ImageNet": "--weights none",
    "one learning rate for encoder and decoder": "--set encoder_rate=1",
    "a third of the learning rate": "--set learning_rate=0.001",
    "constant learning rate": "--set decay=constant",
    "no warm-up": "--set warmup=0",
    "no average of the weights": "--set ema=0",
    "cross-entropy without Dice": "--loss cross_entropy",
    "no augmentation but crops": "--augment none",
    "classes of other samples laid over half of the samples": "--set paste=0.5",
    "rare classes of other samples laid over half of the "
    "samples": "--set paste=0.5 --set paste_classes=rare",
    "augmentation `light`": "--augment light",
    "augmentation `medium`": "--augment medium",
    "scores of the last stage alone": "--set plain=true",
    "bilinear upsampling": "--upsample bilinear",
    "float32": "--precision float32",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--crop", nargs=2, default=["192", "256"], metavar=("H", "W"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="*", default=list(ARMS), choices=list(ARMS))
    parser.add_argument(
        "--at-once", type=int, default=1, help="trainings, each on its share of the cores"
    )
    parser.add_argument("--note", action="append", default=[])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    arms = {name: options for name, options in ARMS.items() if name in args.only}
    shares = SimpleQueue[int]()
    for share in range(args.at_once):
        shares.put(share)
    with ThreadPoolExecutor(args.at_once) as pool:
        asked = list(product(args.seeds, arms.items()))  # one seed of all arms before the next
        done = pool.map(lambda each: trained(args, each[1][1], each[0], shares), asked)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
        for (_, (name, _)), figures in zip(asked, done, strict=True):
            found[name].append(figures)
    args.out.write_text(page(args, found), encoding="utf-8")


def trained(
    args: argparse.Namespace, options: str, seed: int, shares: "SimpleQueue[int]"
) -> tuple[float, float]:
    """Best mean IoU on validation, and minutes, of the training with these options, on a share of
    the cores that is free.
    """
    run = args.work / "-".join(["".join(filter(str.isalnum, options)) or "defaults", str(seed)])
    history = run / "history.csv"
    if not history.exists() or len(read_history(history)) < args.epochs:
        fixed = [
            "--epochs",
            str(args.epochs),
            "--crop",
            *args.crop,
            "--seed",
            str(seed),
            "--resume",
        ]
        words = [
            sys.executable,
            "-m",
            "pixelwise",
            "train",
            str(args.data),
            "--out",
            str(run),
            *fixed,
        ]
        share = shares.get()
        words = on_share([*words, *shlex.split(options)], share, args.at_once)
        with run.with_suffix(".log").open("w") as log:
            status = subprocess.run(words, stdout=log, stderr=log, check=False).returncode
        shares.put(share)
        if status:
            raise SystemExit(f"a training failed: see {log.name}")
    rows = read_history(history)
    best = max(row.val_mean_iou for row in rows), rows[-1].seconds / 60
    print(run.name, *(f"{figure:.3f}" for figure in best), flush=True)
    return best


def page(args: argparse.Namespace, found: dict[str, list[tuple[float, float]]]) -> str:
    seeds = " | ".join(f"seed {seed}" for seed in args.seeds)
    lines = [f"| training | {seeds} | mean | beside the defaults | minutes |"]
    lines.append("|---" * (4 + len(args.seeds)) + "|")
    usual = [iou for iou, _ in found["the defaults"]]
    for name, runs in found.items():
        scores = [iou for iou, _ in runs]
        gap = "" if scores == usual else f"{statistics.mean(scores) - statistics.mean(usual):+.3f}"
        each = " | ".join(f"{score:.3f}" for score in scores)
        minutes = statistics.mean(time for _, time in runs)
        lines.append(f"| {name} | {each} | {statistics.mean(scores):.3f} | {gap} | {minutes:.1f} |")
    crop = " ".join(args.crop)
    command = f"python benchmarks/ablation.py DATA --epochs {args.epochs} --crop {crop}"
    command += f" --seeds {' '.join(map(str, args.seeds))}" + f" --at-once {args.at_once}" * (
        args.at_once > 1
    )
    command += f" --only {' '.join(repr(name) for name in args.only)}" * (
        len(args.only) < len(ARMS)
    )
    notes = "".join(f"\n{note}\n" for note in args.note)
    return (
        f"# Ingredients of the default training\n\n{provenance(command)}\n"
        + "\n".join(lines)
        + f"\n{notes}"
    )


if __name__ == "__main__":
    main()
