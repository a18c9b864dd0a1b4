"""Style transfer against the loop of the course: loss by step, seconds a step, memory; in parts,
each of some minutes.

python benchmarks/style.py curve CONTENT STYLE WEIGHTS WORK --variant course   again and again: it
goes on python benchmarks/style.py curve CONTENT STYLE WEIGHTS WORK --variant default  and the other
VARIANTS python benchmarks/style.py speed CONTENT STYLE WEIGHTS WORK python benchmarks/style.py
memory CONTENT STYLE WEIGHTS WORK python benchmarks/style.py report CONTENT STYLE WEIGHTS WORK --out
benchmarks/results/style.md

WEIGHTS are those of torchvision's VGG-16 as safetensors. `curve` gives what does not depend on the
machine's load: the loss by step. `speed` alternates steps of all ways on one thread, and gives the
seconds of the processor.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
import torchvision
from machine import provenance
from PIL import Image
from style_course import Course, resized

from pixelwise.io.atomic import atomic
from pixelwise.reports.figure_style import SERIES, make_figure, save_png, style_plot
from pixelwise.style_transfer.config import StyleConfig
from pixelwise.style_transfer.features import load_network
from pixelwise.style_transfer.levels import resize
from pixelwise.style_transfer.objective import Objective
from pixelwise.style_transfer.optimization import transfer_style

DEFAULT = StyleConfig(bfloat16=True)
COURSE = replace(DEFAULT, levels=1, rate=0.3, inside=False)
VARIANTS = {
    "default": DEFAULT,
    "one size": replace(DEFAULT, levels=1),
    "course's steps": replace(COURSE, steps=500),
    "course's rate, 300 steps": replace(COURSE, steps=300, every=30),
    "course's rate, two sizes": replace(COURSE, levels=2, steps=450),
    "course's rate, two sizes, inside": replace(COURSE, levels=2, steps=450, inside=True),
    "L-BFGS": replace(COURSE, steps=250, optimizer="lbfgs"),
    "L-BFGS, two sizes": replace(COURSE, levels=2, steps=540, optimizer="lbfgs"),
}
SIZES = ((300, 450), (600, 900), (1000, 1500), (2000, 3000))
CLOSE = 1.02
COURSE_MOST = 1000
"""Rows above which the course's loop wants more memory than this machine has."""


def course_of(args: argparse.Namespace) -> Course:
    return Course(
        (args.content, args.style), args.weights, tuple(args.size), relative=args.relative
    )


def curve(args: argparse.Namespace) -> None:
    """Losses by step; the course's state is kept every 5 steps."""
    if args.variant != "course":
        return ours(args)
    kept = args.work / "course.pt"
    loop = course_of(args)
    rows = []
    loop.net.requires_grad_(requires_grad=False)
    parts = {"optimizer": loop.optimizer, "schedule": loop.schedule}
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        loop.image.data = state["image"]
        rows = state["rows"]
        for name, part in parts.items():
            part.load_state_dict(state[name])
    while len(rows) < args.steps:
        rows.append(loop.step())
        if len(rows) % 5 == 0 or len(rows) == args.steps:
            with atomic(kept) as draft:
                state = {name: part.state_dict() for name, part in parts.items()}
                torch.save({"image": loop.image.data, "rows": rows, **state}, draft)
            print(len(rows), f"{sum(rows[-1]):.4f}", flush=True)
    keep(args, "course", rows, loop.total(loop.picture()), loop.picture())


def ours(args: argparse.Namespace) -> None:
    config = VARIANTS[args.variant]
    content, style = (resized(path, tuple(args.size)) for path in (args.content, args.style))
    if not args.relative:
        config = replace(config, relative=False, style_weight=1e4, smooth_weight=10.0)
    network, _ = load_network("vgg16", str(args.weights))
    start = time.perf_counter()
    made = transfer_style(content, [(style, 1.0)], network, config)
    rows = [[s.losses.content, s.losses.style, s.losses.smooth, s.size[0]] for s in made.history]
    print(
        args.variant,
        f"{time.perf_counter() - start:.1f} s",
        *(f"{sum(row[:3]):.4f}" for row in rows[::20]),
    )
    keep(args, args.variant, rows, course_of(args).total(made.image), made.image)


def keep(
    args: argparse.Namespace,
    name: str,
    rows: list[list[float]],
    finished: float,
    image: torch.Tensor,
) -> None:
    """The rows, and the float32 loss of the finished picture, in [0, 1]."""
    torchvision.utils.save_image(image, args.work / f"{name}.png")
    (args.work / f"{name}.json").write_text(
        json.dumps({"rows": rows, "finished": finished}), encoding="utf-8"
    )
    print(name, f"{finished:.4f}")


def speed(args: argparse.Namespace) -> None:
    """CPU seconds of a step of each way, by turns; with one thread other programs hardly change
    them.
    """
    content, style = (resized(path, tuple(args.size)) for path in (args.content, args.style))
    network, _ = load_network("vgg16", str(args.weights))
    loop = course_of(args)
    frozen = course_of(args)
    frozen.net.requires_grad_(requires_grad=False)
    ways = {"course": loop.step, "course, weights frozen": frozen.step}
    half = tuple(side // 2 for side in args.size)
    for name, size, bfloat16 in (
        ("float32", args.size, False),
        ("bfloat16", args.size, True),
        ("half", half, True),
    ):
        pictures = [(resize(p, size)[None] - network.mean) / network.std for p in (content, style)]
        goal = Objective(
            network, pictures[0], [(pictures[1], 1.0)], weights=DEFAULT.weights, bfloat16=bfloat16
        )
        image = pictures[0].clone().requires_grad_()
        ways[name] = stepper(goal, image)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(args.turns + 1):
        for name, step in ways.items():
            start = time.process_time()
            step()
            found[name] += [time.process_time() - start] if turn else []
    text = json.dumps({"threads": args.threads, "seconds": found})
    (args.work / "speed.json").write_text(text, encoding="utf-8")
    print(
        {
            name: (round(min(each), 2), round(statistics.median(each), 2))
            for name, each in found.items()
        }
    )


def stepper(goal: Objective, image: torch.Tensor):
    optimizer = torch.optim.Adam([image], lr=DEFAULT.rate)
    return lambda: (goal.backward(image), optimizer.step())


def memory(args: argparse.Namespace) -> None:
    """Peak of whole processes that make three steps, by size: `pixelwise stylize`, and the course's
    loop.
    """
    found = []
    for height, width in SIZES:
        paths = [args.work / f"{name}.png" for name in ("large_content", "large_style")]
        for source, path in zip((args.content, args.style), paths, strict=True):
            Image.open(source).convert("RGB").resize((width, height)).save(path)
        size = [str(height), str(width)]
        command = [
            "-m",
            "pixelwise",
            "stylize",
            *map(str, paths),
            "--out",
            str(args.work / "large.png"),
        ]
        command += ["--network", "vgg16", "--weights", str(args.weights), "--precision", "bfloat16"]
        command += ["--steps", "3", "--size", *size]
        few = [__file__, "few", *map(str, (*paths, args.weights, args.work)), "--size", *size]
        ways = {"pixelwise": command, "course": [*few, "--threads", str(args.threads)]}
        for way, words in ways.items():
            if way == "course" and height > COURSE_MOST:
                continue
            start = time.perf_counter()
            with subprocess.Popen([sys.executable, *words]) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            row = {
                "way": way,
                "size": [height, width],
                "mib": usage.ru_maxrss / 1024,
                "status": process.returncode,
            }
            found.append(row)
            print(row, f"{time.perf_counter() - start:.0f} s", flush=True)
            (args.work / "memory.json").write_text(json.dumps(found), encoding="utf-8")


def report(args: argparse.Namespace) -> None:
    """What the parts found, as a page; parts that are missing are said to be."""
    rows = torch.load(args.work / "course.pt", weights_only=True)["rows"]
    goal = sum(rows[-1][:3]) * CLOSE
    seconds = {
        name: statistics.median(each)
        for name, each in read(args.work / "speed.json")["seconds"].items()
    }
    whole = seconds["course"] * args.steps
    first = next(number for number, row in enumerate(rows, 1) if sum(row[:3]) <= goal)
    table = [
        f"Loss of the course's loop at step {len(rows)}: {sum(rows[-1][:3]):.4f}; within 2 % "
        "of that:",
        "",
        "| way | steps at half the size, at the full | CPU seconds | course's 500 steps / these |",
        "|---|---|---|---|",
        f"| course | 0, {first} | {seconds['course'] * first:.0f} | {args.steps / first:.1f} |",
    ]
    for name in VARIANTS:
        if not (args.work / f"{name}.json").exists():
            table.append(f"| {name} | not run | | |")
            continue
        steps = read(args.work / f"{name}.json")["rows"]
        coarse = sum(row[3] < args.size[0] for row in steps)
        reached = next(
            (n for n, row in enumerate(steps, 1) if n > coarse and sum(row[:3]) <= goal), None
        )
        fine = (reached or len(steps)) - coarse
        spent = coarse * seconds["half"] + fine * seconds["bfloat16"]
        last = "" if reached else f" (not reached: {sum(steps[-1][:3]):.4f})"
        table.append(f"| {name} | {coarse}, {fine}{last} | {spent:.0f} | {whole / spent:.1f} |")
    table += ["", "| a step, CPU seconds, median (least) |", "|---|"]
    for name, each in read(args.work / "speed.json")["seconds"].items():
        table.append(f"| {name}: {statistics.median(each):.2f} ({min(each):.2f}) |")
    if (args.work / "memory.json").exists():
        found = read(args.work / "memory.json")
        table += ["", "| size | way | peak MiB |", "|---|---|---|"]
        table += [
            f"| {row['size'][0]} x {row['size'][1]} | {row['way']} | {row['mib']:.0f} |"
            for row in found
        ]
        draw(found, args.out.with_suffix(".png"))
        table += ["", f"![peak memory by size]({args.out.with_suffix('.png').name})"]
    said = provenance("python benchmarks/style.py PART CONTENT STYLE WEIGHTS WORK, each part")
    args.out.write_text("\n".join(["# Style transfer", "", said, *table, ""]), encoding="utf-8")


def read(path: Path) -> dict[str, dict[str, list[float]]]:
    return json.loads(path.read_text(encoding="utf-8"))


def draw(found: list[dict[str, object]], path: Path) -> None:
    figure = make_figure(3.6)
    axes = figure.subplots()
    for way, colour in zip(("pixelwise", "course"), SERIES, strict=False):
        rows = [row for row in found if row["way"] == way and row["status"] == 0]
        axes.plot(
            [row["size"][0] * row["size"][1] / 1e6 for row in rows],
            [row["mib"] for row in rows],
            "o-",
            label=way,
            color=colour,
        )
    style_plot(axes, xlabel="megapixels", ylabel="peak MiB of the process")
    axes.set_ylim(bottom=0)
    save_png(figure, path)


def few(args: argparse.Namespace) -> None:
    """Two steps of the course."""
    loop = course_of(args)
    loop.step()
    loop.step()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = {"curve": curve, "speed": speed, "memory": memory, "few": few, "report": report}
    parser.add_argument("part", choices=parts)
    for name in ("content", "style", "weights", "work"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--variant", choices=["course", *VARIANTS], default="course")
    parser.add_argument("--size", type=int, nargs=2, default=[300, 450])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--relative", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    parts[args.part](args)


if __name__ == "__main__":
    main()
