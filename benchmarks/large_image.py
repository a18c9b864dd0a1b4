"""Pictures of growing size through `pixelwise predict`: peak memory and megapixels/s of the whole
command.

python benchmarks/large_image.py RUN IMAGES --out benchmarks/results/large_image.md

A mosaic of IMAGES is written as a tiled TIFF of each size and labelled in a process of its own.
`--beside` gives the sides up to which in_memory.py does the same with all scores in memory. Small
pictures, 360 x 480, are labelled by the same command, as many as make SMALL megapixels, for the
rate to compare with.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from machine import provenance
from PIL import Image

from pixelwise.models.checkpoint import read_header
from pixelwise.reports.figure_style import SERIES, make_figure, save_png, style_plot

BAND = 512
SMALL = 100
"""Megapixels of small pictures."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=[5000, 10000, 20000, 40000])
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--max-memory", type=int)
    parser.add_argument("--runtime", default="openvino")
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--overlap", type=float, default=0.0625)
    parser.add_argument(
        "--beside", type=int, default=0, help="largest side for those that hold all scores"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    classes = len(read_header(args.run).classes)
    sources = sorted(args.images.glob("*.jpg"))
    found: dict[str, list[tuple[int, float, float]]] = {}
    rows = [
        "| way | side | megapixels | seconds | megapixels/s | peak MiB |",
        "|---|---|---|---|---|---|",
    ]

    def note(way: str, side: int, megapixels: float, seconds: float, peak: float) -> None:
        found.setdefault(way, []).append((side, seconds, peak))
        rows.append(
            f"| {way} | {side} | {megapixels:.0f} | {seconds:.1f} | "
            f"{megapixels / seconds:.2f} | {peak:.0f} |"
        )
        print(rows[-1], flush=True)

    small(args, sources, note)
    for side in args.sides:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "mosaic.tif"
            out = Path(folder) / "out"
            write_mosaic(source, side, sources[:16])
            note("pixelwise", side, side**2 / 1e6, *measured(labelling(args, source, out)))
            for way in ("monai", "loop") if side <= args.beside else ():
                words = [
                    way,
                    args.run,
                    source,
                    Path(folder) / "mask.png",
                    args.runtime,
                    args.precision,
                    args.tile,
                ]
                script = Path(__file__).with_name("in_memory.py")
                note(f"in memory, {way}", side, side**2 / 1e6, *measured([script, *words]))
    small(args, sources, note)  # the machine's speed varies
    given = shlex.join(
        f"--{name.replace('_', '-')}={value}"
        for name, value in vars(args).items()
        if is_option(name)
    )
    command = (
        f"python benchmarks/large_image.py RUN IMAGES --sides {' '.join(map(str, args.sides))} "
        f"{given}"
    )
    note_ = f"{classes} classes; whole commands, from the shell to the files.\n"
    draw(found, args.out.with_suffix(".png"))
    picture = f"\n![memory and time by size]({args.out.with_suffix('.png').name})\n"
    args.out.write_text(
        "\n".join(["# Large pictures\n", provenance(command), note_, *rows, picture]),
        encoding="utf-8",
    )


def small(args: argparse.Namespace, sources: list[Path], note: Callable[..., None]) -> None:
    copies = round(SMALL * 1e6 / (360 * 480))
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many"
        many.mkdir()
        for number in range(copies):
            shutil.copy(sources[number % len(sources)], many / f"{number:05d}.jpg")
        megapixels = copies * 360 * 480 / 1e6
        note(
            "small pictures",
            360,
            megapixels,
            *measured(labelling(args, many, Path(folder) / "small")),
        )


def is_option(name: str) -> bool:
    return name in ("tile", "runtime", "precision", "overlap", "beside")


def write_mosaic(path: Path, side: int, images: list[Path]) -> None:
    pictures = np.concatenate(
        [np.asarray(Image.open(image).convert("RGB"))[:352, :480] for image in images], axis=1
    )
    band = np.tile(pictures, (2, -(-side // pictures.shape[1]), 1))[:BAND, :side].transpose(2, 0, 1)
    profile = {
        "driver": "GTiff",
        "height": side,
        "width": side,
        "count": 3,
        "dtype": "uint8",
        "tiled": True,
    }
    with rasterio.open(
        path, "w", **profile, blockxsize=512, blockysize=512, compress="lzw", crs="EPSG:3857"
    ) as target:
        for top in range(0, side, BAND):
            rows = min(BAND, side - top)
            target.write(
                np.roll(band, 37 * top // BAND, axis=2)[:, :rows],
                window=((top, top + rows), (0, side)),
            )


def labelling(args: argparse.Namespace, source: Path, out: Path) -> list[object]:
    """The words of the command."""
    words = [
        "-m",
        "pixelwise",
        "predict",
        args.run,
        source,
        "--out",
        out,
        "--tile",
        args.tile,
        args.tile,
    ]
    words += ["--overlap", args.overlap, "--runtime", args.runtime, "--precision", args.precision]
    return [*words, "--max-memory", args.max_memory] if args.max_memory else words


def measured(words: list[object]) -> tuple[float, float]:
    """Seconds and peak MiB of a whole Python process."""
    command = [sys.executable, *map(str, words)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def draw(found: dict[str, list[tuple[int, float, float]]], path: Path) -> None:
    figure = make_figure(3.2)
    memory, duration = figure.subplots(1, 2)
    ways = [way for way in found if way != "small pictures"]
    for way, colour in zip(ways, SERIES, strict=False):
        sides, seconds, peaks = zip(*found[way], strict=True)
        memory.plot(sides, peaks, marker="o", label=way, color=colour)
        duration.plot([side**2 / 1e6 for side in sides], seconds, marker="o", color=colour)
    style_plot(memory, title="memory by side", xlabel="side, pixels", ylabel="peak MiB")
    style_plot(duration, title="time by area", xlabel="megapixels", ylabel="seconds")
    memory.locator_params(axis="x", nbins=5)
    for axes in (memory, duration):
        axes.set_ylim(bottom=0)
    save_png(figure, path)


if __name__ == "__main__":
    main()
