"""Training images/s and peak memory beside segmentation_models.pytorch, Ultralytics and LibreYOLO.

python benchmarks/train_rivals.py DATA --rivals-python PATH --out FILE [--rounds 3] [--photos 96]

Two tables, both of batches of 8, without pretrained weights, on the same `--threads` cores, each in
a process of its own, in turn.

Steps: the same random pictures from memory, 320 x 480, 11 classes, cross-entropy, AdamW.
segmentation_models.pytorch has no trainer: its step is the plain float32 loop that one writes
first; ours is that of train_speed.py.

Whole trainers, by their own commands: reading, augmentation and steps of the same photos, as each
has them by default, one worker, first and last epoch and validations not counted; nothing of ours
is frozen, and the augmentation is that of long trainings. Ours and PP-LiteSeg see crops of 320 x
480; YOLO26-sem trains on squares only: 384 x 384, 4 % fewer pixels, of mosaics of four photos. The
networks, losses and augmentations differ, so this compares the products, not their loops. Memory is
the peak of the largest process: the worker is another.
"""

import argparse
import csv
import shlex
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from machine import provenance
from rivals import (
    HERE,
    YOLO_SIZES,
    Ran,
    add_options,
    copy_pairs,
    failed,
    last_line,
    limit_threads,
    place_of,
    run_alone,
    version_of,
    write_layout,
    yolo_model,
)
from train_speed import Learner

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.io.images import read_rgb
from pixelwise.malloc import retain_memory
from pixelwise.models.registry import build_model

ENCODER = "tf_efficientnet_lite0"
BATCH = 8
CROP = (320, 480)
SQUARE = 384
CLASSES = 11
STEPS = {
    "light": f"pixelwise, light on {ENCODER}",
    "unet": f"pixelwise, unet on {ENCODER}",
    "smp": f"segmentation_models.pytorch, Unet on {ENCODER}, plain loop in float32",
}


@dataclass(frozen=True)
class Trainer:
    """A whole training's command, with OUT as its folder, and how its images/s are read."""

    command: list[str]
    speed: Callable[[Path, str], float]
    """From its folder and what it output."""
    missing: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6, help="after one that is not counted")
    parser.add_argument("--photos", type=int, default=96, help="a multiple of 8")
    parser.add_argument("--epochs", type=int, default=4, help="of the whole trainers; 3 or more")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of the names to measure")
    add_options(parser)
    options = parser.parse_args()
    if options.epochs < 3:
        parser.error("--epochs: 3 or more, as the first and the last are not counted")
    with tempfile.TemporaryDirectory() as work:
        limit_threads(options.threads, Path(work))
        text = report(options, Path(work))
    options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def report(options: argparse.Namespace, work: Path) -> str:
    arms = [(key, name) for key, name in STEPS.items() if chosen(name, options)]
    every = trainers(options, work)
    others = {name: trainer for name, trainer in every.items() if chosen(name, options)}
    left_out = {name: trainer.missing for name, trainer in others.items() if trainer.missing}
    steps: dict[str, list[tuple[float, float]]] = {}
    whole: dict[str, list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for key, name in arms:
            script = str(HERE / "train_rivals.py")
            ran = run_alone([sys.executable, script, "STEP", key, str(options.steps)])
            steps.setdefault(name, []).append(step_speed(ran))
        for name, trainer in others.items():
            if name in left_out:
                continue
            try:
                whole.setdefault(name, []).append(run_trainer(trainer))
            except RuntimeError as error:
                left_out[name] = str(error)
    lines = ["## Steps from memory\n", *table(steps), "", "## Whole trainers\n", *table(whole)]
    lines += ["", *(f"Not measured: {name}: {reason}" for name, reason in left_out.items())]
    words = ["python", "benchmarks/train_rivals.py", "DATA", "--out", "FILE"]
    for name in ("rounds", "steps", "photos", "epochs", "threads"):
        words += [f"--{name}", str(getattr(options, name))]
    words += ["--rivals-python", "PATH"] * (str(options.rivals_python) != sys.executable)
    words += [] if options.only == [""] else ["--only", *options.only]
    versions = ", ".join(
        f"{name} {version}"
        for name in ("ultralytics", "libreyolo")
        if (version := version_of(name, options.rivals_python))
    )
    note = (
        f"{options.threads} cores and threads; {options.photos} photos an epoch of the whole "
        f"trainers, {options.epochs - 2} epochs counted. {versions}\n"
    )
    title = "# Training speed beside others\n"
    return "\n".join([title, provenance(shlex.join(words)), note, *lines, ""])


def chosen(name: str, options: argparse.Namespace) -> bool:
    return any(part in name for part in options.only)


def table(rows: dict[str, list[tuple[float, float]]]) -> list[str]:
    lines = ["| training | images/s | peak MiB |", "|---|---|---|"]
    for name, found in rows.items():
        speeds = [speed for speed, _ in found]
        lines.append(
            f"| {name} | {statistics.median(speeds):.2f} ({min(speeds):.2f} to {max(speeds):.2f}) "
            f"| {max(peak for _, peak in found):.0f} |"
        )
    return lines


def step_speed(ran: Ran) -> tuple[float, float]:
    if ran.status:
        raise SystemExit(f"a step failed: {last_line(ran.output)}")
    lines = [line.split() for line in ran.output.splitlines() if line.startswith("step ")]
    speed = BATCH / statistics.median(float(words[1]) for words in lines[1:])
    print(f"{speed:.2f} images/s, {ran.peak:.0f} MiB", file=sys.stderr, flush=True)
    return speed, ran.peak


def take_steps(arm: str, count: int, crop: tuple[int, int] = CROP) -> None:
    """In a process of its own: print the seconds of each step, the first not to be counted."""
    torch.manual_seed(0)
    if arm == "smp":
        import segmentation_models_pytorch as smp

        model = smp.Unet(f"tu-{ENCODER}", encoder_weights=None, classes=CLASSES)
        learner = Learner(model, BATCH, crop, classes=CLASSES, ours=False)
        for _ in range(count + 1):
            print("step", learner.step(), flush=True)
        return
    with retain_memory():
        model = build_model(arm, encoder=ENCODER, classes=CLASSES, weights="none")
        learner = Learner(model, BATCH, crop, classes=CLASSES, ours=True)
        for _ in range(count + 1):
            print("step", learner.step(), flush=True)


def trainers(options: argparse.Namespace, work: Path) -> dict[str, Trainer]:
    dataset = open_dataset(options.data, DataOptions())
    classes = len(dataset.classes)
    copy = work / "data"
    for split, count in (("train", options.photos), ("val", BATCH)):
        pairs = dataset.pairs(split)[:count]
        copy_pairs(
            [(p.image.stem, read_rgb(p.image), dataset.read_labels(p.mask)) for p in pairs],
            copy,
            split,
        )
    layout = str(write_layout(copy, classes, val="val"))
    epochs = options.epochs
    python = options.rivals_python
    found = {}
    for decoder in ("light", "unet"):
        words = [sys.executable, "-m", "pixelwise", "train", str(copy), "--out", "OUT/run"]
        words += ["--decoder", decoder, "--encoder", ENCODER, "--weights", "none"]
        words += ["--batch", str(BATCH), "--crop", *map(str, CROP), "--epochs", str(epochs)]
        words += ["--augment", "strong"]
        for setting in ("frozen_stages=0", "workers=1", "validate_every=1", "predict_scale=1"):
            words += ["--set", setting]
        name = f"pixelwise train, {decoder} on {ENCODER}"
        found[name] = Trainer(words, lambda out, _: own_speed(out / "run"))
    yolo = python.parent / "yolo"
    package = place_of("ultralytics", python)
    missing = "" if package and yolo.exists() else "no ultralytics: see --rivals-python"
    for size in YOLO_SIZES:
        model = "" if missing else yolo_model(package, size, classes, work)
        words = [str(yolo), "semantic", "train", f"model={model}", f"data={layout}"]
        words += [f"epochs={epochs}", f"imgsz={SQUARE}", f"batch={BATCH}", "workers=1"]
        words += ["device=cpu", "pretrained=False", "val=False", "plots=False", "close_mosaic=0"]
        words += ["project=OUT", "name=run"]
        found[f"Ultralytics YOLO26{size}-sem, yolo semantic train"] = Trainer(
            words, lambda out, _: yolo_speed(out, options.photos), missing
        )
    script = str(HERE / "libreyolo_ppliteseg.py")
    words = [str(python), script, "train", layout, "OUT", str(epochs), *map(str, CROP)]
    missing = "" if place_of("libreyolo", python) else "no libreyolo: see --rivals-python"
    found["LibreYOLO PP-LiteSeg t50, its Python API"] = Trainer(
        words, lambda _, output: libreyolo_speed(output, options.photos), missing
    )
    return found


def run_trainer(trainer: Trainer) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as out:
        words = [word.replace("OUT", out) for word in trainer.command]
        ran = run_alone(words)
        if ran.status:
            raise RuntimeError(failed(trainer.command, ran))
        speed = trainer.speed(Path(out), ran.output)
    print(f"{speed:.2f} images/s, {ran.peak:.0f} MiB", file=sys.stderr, flush=True)
    return speed, ran.peak


def own_speed(run: Path) -> float:
    """Of all epochs but the first and, as for the others, the last."""
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[1:-1]
    return len(rows) / sum(1 / float(row["images_per_second"]) for row in rows)


def yolo_speed(out: Path, photos: int) -> float:
    """Of all epochs but the first, and the last, which validates; its `time` is from the start."""
    with next(out.rglob("results.csv")).open(newline="") as file:
        rows = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]
    times = [float(row["time"]) for row in rows]
    return photos * (len(times) - 2) / (times[-2] - times[0])


def libreyolo_speed(output: str, photos: int) -> float:
    lines = [line.split() for line in output.splitlines() if line.startswith("epoch_seconds ")]
    times = [float(words[1]) for words in lines][1:-1]
    if not times:
        raise RuntimeError(f"it told of no epochs: {last_line(output)}")
    return photos * len(times) / sum(times)


if __name__ == "__main__":
    if sys.argv[1:2] == ["STEP"]:
        take_steps(sys.argv[2], int(sys.argv[3]))
    else:
        main()
