"""Label a folder from the shell: `pixelwise predict` against a plain segmentation_models.pytorch script.

    python benchmarks/predict_folder.py RUN IMAGES --out benchmarks/results/predict_folder.md

Whole commands, imports and writing included, in turn, medians of several rounds; memory is the process's peak.
"""

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import provenance

from pixelwise.checkpoint import read_header

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    count = len(list(args.images.glob("*.jpg")))
    header = read_header(args.run)
    rows = measure(commands(args.run, args.images, len(header.classes)), args.rounds)
    rival = statistics.median(seconds for seconds, _ in rows[RIVAL])
    lines = ["| command | seconds | images/s | ratio to the rival | peak MiB |", "|---|---|---|---|---|"]
    for name, found in rows.items():
        seconds = statistics.median(value for value, _ in found)
        spread = f"{min(v for v, _ in found):.1f} to {max(v for v, _ in found):.1f}"
        peak = max(memory for _, memory in found)
        lines.append(
            f"| {name} | {seconds:.1f} ({spread}) | {count / seconds:.2f} | {rival / seconds:.2f} | {peak:.0f} |"
        )
    command = shlex.join(["python", "benchmarks/predict_folder.py", "RUN", "IMAGES", "--rounds", str(args.rounds)])
    note = f"{count} images of CamVid test, 360 x 480; {header.model.decoder} on {header.model.encoder}.\n"
    text = "\n".join(["# Labelling a folder from the shell\n", provenance(command), note, *lines, ""])
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


RIVAL = "segmentation_models.pytorch script, float32"


def commands(run: Path, images: Path, classes: int) -> dict[str, list[str]]:
    predict = [sys.executable, "-m", "pixelwise", "predict", str(run), str(images), "--out"]
    return {
        RIVAL: [sys.executable, str(HERE / "smp_predict.py"), str(images), "OUT", str(classes)],
        "pixelwise predict, float32": [*predict, "OUT"],
        "pixelwise predict, bfloat16": [*predict, "OUT", "--precision", "bfloat16"],
    }


def measure(rivals: dict[str, list[str]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, command in rivals.items():
            with tempfile.TemporaryDirectory() as folder:
                found[name].append(timed([folder if word == "OUT" else word for word in command]))
    return found


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds and peak MiB of one run."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
