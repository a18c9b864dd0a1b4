"""Label a folder from the shell: `pixelwise predict` against a plain segmentation_models.pytorch
script.

python benchmarks/predict_folder.py RUN IMAGES --out benchmarks/results/predict_folder.md

Whole commands, imports and writing included, in turn, medians of several rounds; memory is the
process's peak.
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

import numpy as np
from machine import provenance
from PIL import Image

from pixelwise.models.checkpoint import read_header

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", nargs="*", default=[""], help="parts of the names of the commands to measure"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    count = len(list(args.images.glob("*.jpg")))
    header = read_header(args.run)
    runs = commands(args.run, args.images, len(header.classes))
    agreement, choice = agreement_of(runs)
    rows = measure(
        {n: c for n, c in runs.items() if any(part in n for part in args.only)}, args.rounds
    )
    rival = statistics.median(seconds for seconds, _ in rows[RIVAL])
    lines = [
        "| command | seconds | images/s | ratio to the rival | peak MiB |",
        "|---|---|---|---|---|",
    ]
    for name, found in rows.items():
        seconds = statistics.median(value for value, _ in found)
        spread = f"{min(v for v, _ in found):.1f} to {max(v for v, _ in found):.1f}"
        peak = max(memory for _, memory in found)
        lines.append(
            f"| {name} | {seconds:.1f} ({spread}) | {count / seconds:.2f} | "
            f"{rival / seconds:.2f} | {peak:.0f} |"
        )
    lines += ["", *photo(args, runs)]
    command = shlex.join(
        ["python", "benchmarks/predict_folder.py", "RUN", "IMAGES", "--rounds", str(args.rounds)]
    )
    command += "" if args.only == [""] else f" --only {shlex.join(args.only)}"
    lines += [
        "",
        f"Labels of the auto run that are those of torch float32: {100 * agreement:.3f} %. "
        f"{choice}",
    ]
    note = (
        f"{count} images of CamVid test, 360 x 480; {header.model.decoder} on "
        f"{header.model.encoder}.\n"
    )
    text = "\n".join(
        ["# Labelling a folder from the shell\n", provenance(command), note, *lines, ""]
    )
    args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


AUTO = "pixelwise predict (auto; its choice is measured in a first call, not counted)"
RIVAL = "segmentation_models.pytorch script, float32"


def commands(run: Path, images: Path, classes: int) -> dict[str, list[str]]:
    predict = [sys.executable, "-m", "pixelwise", "predict", str(run), str(images), "--out"]
    return {
        RIVAL: [sys.executable, str(HERE / "smp_predict.py"), str(images), "OUT", str(classes)],
        "pixelwise predict, torch float32": [*predict, "OUT", "--runtime", "torch"],
        "pixelwise predict, torch bfloat16": [
            *predict,
            "OUT",
            "--runtime",
            "torch",
            "--precision",
            "bfloat16",
        ],
        "pixelwise predict, onnxruntime float32": [*predict, "OUT", "--runtime", "onnxruntime"],
        "pixelwise predict, openvino float32": [*predict, "OUT", "--runtime", "openvino"],
        AUTO: [*predict, "OUT"],
    }


def agreement_of(runs: dict[str, list[str]]) -> tuple[float, str]:
    """Share of equal labels between the auto run and torch in float32, and what auto said of its
    choice.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = ""
        for name in ("pixelwise predict, torch float32", AUTO):
            command = [f"{folder}/{len(name)}" if word == "OUT" else word for word in runs[name]]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            said = next(
                (line for line in done.stderr.splitlines() if line.startswith("runtime ")), said
            )
        wanted, found = (
            sorted(Path(folder, str(len(n))).glob("*.png"))
            for n in ("pixelwise predict, torch float32", AUTO)
        )
        same = total = 0
        for a, b in zip(wanted, found, strict=True):
            equal = np.asarray(Image.open(a)) == np.asarray(Image.open(b))
            same = same + int(equal.sum())
            total = total + equal.size
    return same / total, said


def photo(args: argparse.Namespace, runs: dict[str, list[str]]) -> list[str]:
    """One image from the shell: with an empty cache, in PyTorch, and with a runtime remembered."""
    image = str(sorted(args.images.glob("*.jpg"))[0])
    command = [image if word == str(args.images) else word for word in runs[AUTO]]
    rows = ["| one image | seconds | peak MiB |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as empty:
        for name, cache in (("cache empty", empty), ("runtime remembered", None)):
            found = []
            for _ in range(3):
                with tempfile.TemporaryDirectory() as folder:
                    words = [folder if word == "OUT" else word for word in command]
                    found.append(timed(words, {"XDG_CACHE_HOME": cache} if cache else {}))
            rows.append(
                f"| {name} | {statistics.median(s for s, _ in found):.1f} | "
                f"{max(m for _, m in found):.0f} |"
            )
    return rows


def measure(rivals: dict[str, list[str]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, command in rivals.items():
            with tempfile.TemporaryDirectory() as folder:
                found[name].append(timed([folder if word == "OUT" else word for word in command]))
    return found


def timed(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds and peak MiB of one run."""
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
