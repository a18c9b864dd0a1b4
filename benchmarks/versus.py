"""Mean IoU after equal minutes beside segmentation_models.pytorch, and the time to the course's
accuracy.

python benchmarks/versus.py DATA --minutes 15 --work WORK --out benchmarks/results/versus.md

Trainings with the same encoder weights (tf_efficientnet_lite0, ImageNet), one after the other, each
with all of the machine: the course's recipe (`--recipe book`) for its five epochs; pixelwise with
nothing set but the minutes, first a fifth of those that the course's recipe took, then `--minutes`;
and smp_train.py for as many. All are scored by pixelwise on the same whole images. A training that
is finished in WORK is not run again. With `--side-by-side` the last two run at once, each on half
of the cores.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from machine import on_share, provenance
from smp_train import network, normalised

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.inference.tta import Logits, Pixels

ENCODER = ["--encoder", "tf_efficientnet_lite0"]
COURSE = "course"
FIFTH = "fifth"
OURS = "ours"
SMP = "smp"
TITLES = {
    COURSE: "the course's recipe, 5 epochs",
    FIFTH: "pixelwise, defaults, a fifth of that",
    OURS: "pixelwise, defaults",
    SMP: "segmentation_models.pytorch, its example's recipe",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--only", nargs="*", default=list(TITLES), choices=list(TITLES))
    parser.add_argument("--side-by-side", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="folder to keep the runs in")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    lines = [
        "| training | minutes | epochs | mean IoU | 95 % | pixel accuracy |",
        "|---|---|---|---|---|---|",
    ]
    if options.side_by_side:
        with ThreadPoolExecutor(2) as pool:
            list(
                pool.map(
                    lambda part: trained((OURS, SMP)[part], options, work, (part, 2)), range(2)
                )
            )
    for arm in [arm for arm in TITLES if arm in options.only]:
        trained(arm, options, work)
        lines.append(f"| {TITLES[arm]} | {' | '.join(figures(arm, options, work))} |")
        print(lines[-1], flush=True)
    if {COURSE, FIFTH} <= set(options.only):
        wanted, found = (rows(work / arm)[-1]["val_mean_iou"] for arm in (COURSE, FIFTH))
        lines += [
            "",
            f"On validation the course's recipe has {float(wanted):.3f} at its end, and "
            "pixelwise after a fifth ",
        ]
        lines[-1] += f"of its time {float(found):.3f}."
    command = f"python benchmarks/versus.py DATA --minutes {options.minutes:g}"
    command += " --side-by-side" * options.side_by_side
    command += f" --only {' '.join(options.only)}" * (options.only != list(TITLES))
    text = "\n".join(["# Beside others, at equal minutes\n", provenance(command), *lines, ""])
    options.out.write_text(text, encoding="utf-8")


def trained(
    arm: str, options: argparse.Namespace, work: Path, share: tuple[int, int] = (0, 1)
) -> None:
    """Run the training on a share of the cores, unless it is done, and note the seconds of the
    whole command.
    """
    done = work / f"{arm}.json"
    if done.exists():
        return
    train = [
        sys.executable,
        "-m",
        "pixelwise",
        "train",
        str(options.data),
        "--out",
        str(work / arm),
        *ENCODER,
    ]
    if arm == COURSE:
        words = [*train, "--recipe", "book"]
    elif arm == SMP:
        rival = Path(__file__).with_name("smp_train.py")
        words = [
            sys.executable,
            str(rival),
            str(options.data),
            str(work / "smp.pt"),
            str(options.minutes),
        ]
    else:
        minutes = (
            options.minutes if arm == OURS else float(rows(work / COURSE)[-1]["seconds"]) / 60 / 5
        )
        words = [*train, "--minutes", f"{minutes:.3f}"]
    start = time.monotonic()
    with (work / f"{arm}.log").open("w") as log:
        if subprocess.run(on_share(words, *share), stdout=log, stderr=log, check=False).returncode:
            raise SystemExit(f"a training failed: see {log.name}")
    done.write_text(json.dumps({"seconds": time.monotonic() - start}))


def figures(arm: str, options: argparse.Namespace, work: Path) -> list[str]:
    """Minutes, epochs, and scores on the test images."""
    if arm == SMP:
        last = (work / "smp.log").read_text().split()
        minutes = last[-1]
        epochs = last[-3]
        classes = open_dataset(options.data, DataOptions()).classes
        model = pixelwise.Predictor(runner(work / "smp.pt", len(classes)), classes)
    else:
        history = rows(work / arm)
        minutes = f"{float(history[-1]['seconds']) / 60:.1f}"
        epochs = str(len(history))
        model = pixelwise.load(work / arm)
    found = pixelwise.evaluate(model, options.data)
    interval = "{:.3f} to {:.3f}".format(*found.mean_iou_interval)
    return [
        minutes,
        epochs,
        f"{found.scores.mean_iou:.4f}",
        interval,
        f"{found.scores.pixel_accuracy:.4f}",
    ]


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def runner(weights: Path, classes: int) -> object:
    model = network(classes).eval()
    model.load_state_dict(torch.load(weights, weights_only=True))

    @torch.inference_mode()
    def run(rgb: Pixels) -> Logits:
        height, width = rgb.shape[-2:]
        padded = torch.nn.functional.pad(
            normalised(torch.from_numpy(rgb)), (0, -width % 32, 0, -height % 32)
        )
        return model(padded)[..., :height, :width].numpy()

    return run


if __name__ == "__main__":
    main()
