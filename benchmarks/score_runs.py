"""Score finished runs on a data set and write one markdown table.

python benchmarks/score_runs.py DATA RUN [RUN ...] --title TEXT --out benchmarks/results/NAME.md

How each run was trained is read from its run.json and history.csv, so the table cannot differ from
what was run.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from machine import provenance

import pixelwise
from pixelwise.datasets.types import DataOptions
from pixelwise.training.history import read_history

Scores = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--split", default="test")
    parser.add_argument("--threshold", type=int, default=128)
    parser.add_argument(
        "--only", nargs="*", default=[], help="classes whose mean IoU is given as well"
    )
    parser.add_argument("--boundary", action="store_true", help="mean boundary IoU as well")
    parser.add_argument("--title", required=True)
    parser.add_argument("--note", action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    scored = {run: score(run, args) for run in args.runs}
    names = next(iter(scored.values()))["classes"]
    only = f"mean IoU of {len(args.only)} | " if args.only else ""
    only += "mean boundary IoU | " if args.boundary else ""
    head = (
        f"| run | epochs | training minutes | images/s | mean IoU | {only}pixel accuracy | "
        f"{' | '.join(names)} |"
    )
    rows = [head, "|---" * head.count("|") + "|"]
    rows[1] = "|" + "---|" * (head.count("|") - 1)
    rows += [row(run, found, args) for run, found in scored.items()]
    command = (
        "python benchmarks/score_runs.py DATA "
        + shlex.join(run.name for run in args.runs)
        + options(args)
    )
    settings = [f"- {run.name}: {trained(run)}" for run in args.runs]
    text = [
        f"# {args.title}\n",
        provenance(command),
        *rows,
        "",
        "How each run was trained:\n",
        *settings,
        "",
    ]
    text += [f"{note}\n" for note in args.note]
    text.append("IoU pooled over all pixels of all whole images of the split, void left out.\n")
    args.out.write_text("\n".join(text), encoding="utf-8")
    sys.stdout.write("\n".join(text))


def score(run: Path, args: argparse.Namespace) -> Scores:
    """The scores of `evaluate --json`, made now or by an earlier call on the same model file."""
    path = run / f"scores_{args.split}.json"
    model = run / "model.safetensors"
    found: Scores = json.loads(path.read_text()) if path.is_file() else {}
    if "mean_boundary_iou" not in found or path.stat().st_mtime < model.stat().st_mtime:
        options = DataOptions(matte_threshold=args.threshold)
        pixelwise.evaluate(run, args.data, split=args.split, options=options).write_json(path)
        found = json.loads(path.read_text())
    return found


def options(args: argparse.Namespace) -> str:
    found = f" --split {args.split}" if args.split != "test" else ""
    found += f" --threshold {args.threshold}" if args.threshold != 128 else ""
    found += " --boundary" if args.boundary else ""
    return found + (f" --only {shlex.join(args.only)}" if args.only else "")


def row(run: Path, scores: Scores, args: argparse.Namespace) -> str:
    history = read_history(run / "history.csv")
    speed = sum(epoch.images_per_second for epoch in history) / len(history)
    iou = scores["iou"]
    chosen = f"{sum(iou[name] for name in args.only) / len(args.only):.4f} | " if args.only else ""
    chosen += f"{scores['mean_boundary_iou']:.4f} | " if args.boundary else ""
    by_class = " | ".join("-" if value is None else f"{value:.3f}" for value in iou.values())
    return (
        f"| {run.name} | {len(history)} | {history[-1].seconds / 60:.1f} | {speed:.1f} | "
        f"{scores['mean_iou']:.4f} | {chosen}{scores['pixel_accuracy']:.4f} | {by_class} |"
    )


def trained(run: Path) -> str:
    record = json.loads((run / "run.json").read_text())
    config = record["config"]
    machine = record["machine"]
    model = ("recipe", "decoder", "encoder", "upsample", "plain", "start")
    length = ("epochs", "minutes")
    keep = (*model, *length, "crop", "batch", "seed", "precision", "learning_rate")
    settings = ", ".join(
        f"{key} {config[key]}" for key in keep if key in config and config[key] is not None
    )
    return (
        f"{settings}; {machine['threads']} thread(s) of {machine['cores']} cores; started "
        f"{record['started']}"
    )


if __name__ == "__main__":
    main()
