"""Mean IoU after equal minutes beside segmentation_models.pytorch, and the time to the course's accuracy.

    python benchmarks/versus.py DATA --minutes 15 --out benchmarks/results/versus.md

Three trainings with the same encoder weights (tf_efficientnet_lite0, ImageNet), one after the other, each with all of
the machine: pixelwise with nothing set but the minutes; smp_train.py for as many minutes; and the course's recipe
(`--recipe book`) for its five epochs. All are scored by pixelwise on the same whole images.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from machine import provenance
from smp_train import network, normalised

import pixelwise
from pixelwise.data.build import open_dataset
from pixelwise.data.sample import DataOptions
from pixelwise.inference.runners import Logits, Pixels

ENCODER = ["--encoder", "tf_efficientnet_lite0"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="folder to keep the runs in")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    smp = work / "smp.pt"
    train = [sys.executable, "-m", "pixelwise", "train", str(options.data)]
    rival = Path(__file__).with_name("smp_train.py")
    commands = {
        "ours": [*train, "--out", str(work / "ours"), "--minutes", str(options.minutes), *ENCODER],
        "smp": [sys.executable, str(rival), str(options.data), str(smp), str(options.minutes)],
        "book": [*train, "--out", str(work / "book"), "--recipe", "book", *ENCODER],
    }
    for name, command in commands.items():
        with (work / f"{name}.log").open("w") as log:
            if subprocess.run(command, stdout=log, stderr=log, check=False).returncode:
                sys.exit(f"a training failed: see {log.name}")
    classes = open_dataset(options.data, DataOptions()).classes
    models = {
        "pixelwise, defaults": pixelwise.load(work / "ours"),
        "segmentation_models.pytorch, its example's recipe": pixelwise.Predictor(runner(smp, len(classes)), classes),
        "the course's recipe, 5 epochs": pixelwise.load(work / "book"),
    }
    ours, book = (rows(work / name) for name in ("ours", "book"))
    last = (work / "smp.log").read_text().split()
    minutes = [f"{float(ours[-1]['seconds']) / 60:.1f}", last[-1], f"{float(book[-1]['seconds']) / 60:.1f}"]
    epochs = [str(len(ours)), last[-3], str(len(book))]
    lines = ["| training | minutes | epochs | mean IoU | 95 % | pixel accuracy |", "|---|---|---|---|---|---|"]
    for (name, model), time, count in zip(models.items(), minutes, epochs, strict=True):
        found = pixelwise.evaluate(model, options.data)
        low, high = found.mean_iou_interval
        scores = f"{found.scores.mean_iou:.4f} | {low:.3f} to {high:.3f} | {found.scores.pixel_accuracy:.4f}"
        lines.append(f"| {name} | {time} | {count} | {scores} |")
    wanted = float(book[-1]["val_mean_iou"])
    reached = next((row for row in ours if float(row["val_mean_iou"]) >= wanted), None)
    lines += ["", f"The course's recipe has a mean IoU of {wanted:.3f} on validation after {minutes[2]} minutes. "]
    if reached is None:
        lines[-1] += "pixelwise did not reach that."
    else:
        share = float(reached["seconds"]) / float(book[-1]["seconds"])
        lines[-1] += (
            f"pixelwise has {float(reached['val_mean_iou']):.3f} after epoch {reached['epoch']} and {share:.2f} "
        )
        lines[-1] += "of that time."
    command = f"python benchmarks/versus.py DATA --minutes {options.minutes:g}"
    text = "\n".join(["# Beside others, at equal minutes\n", provenance(command), *lines, ""])
    options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def runner(weights: Path, classes: int) -> object:
    model = network(classes).eval()
    model.load_state_dict(torch.load(weights, weights_only=True))

    @torch.inference_mode()
    def run(rgb: Pixels) -> Logits:
        height, width = rgb.shape[-2:]
        padded = torch.nn.functional.pad(normalised(torch.from_numpy(rgb)), (0, -width % 32, 0, -height % 32))
        return model(padded)[..., :height, :width].numpy()

    return run


if __name__ == "__main__":
    main()
