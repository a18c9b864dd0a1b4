"""Pictures of growing size through `pixelwise predict`: peak memory and megapixels/s of the whole command.

    python benchmarks/large_image.py RUN IMAGES --out benchmarks/results/large_image.md

A mosaic of IMAGES is written as a tiled TIFF of each size and labelled in a process of its own; the last column is
what holding all scores of the picture in memory would need (classes x 4 bytes a pixel, as in-memory averaging does).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from machine import provenance
from matplotlib.figure import Figure
from PIL import Image

from pixelwise.checkpoint import read_header

BAND = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=[2500, 5000, 10000, 20000])
    parser.add_argument("--tile", type=int, nargs=2, default=[512, 512])
    parser.add_argument("--max-memory", type=int, default=300)
    parser.add_argument("--runtime", default="openvino")
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--overlap", type=float, default=0.125)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    classes = len(read_header(args.run).classes)
    rows = [
        "| side | megapixels | seconds | megapixels/s | peak MiB | all scores in memory, MiB |",
        "|---|---|---|---|---|---|",
    ]
    found = []
    for side in args.sides:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "mosaic.tif"
            write_mosaic(source, side, sorted(args.images.glob("*.jpg"))[:16])
            seconds, peak = labelled(args, source, Path(folder) / "out")
        found.append((side, seconds, peak))
        rows.append(
            f"| {side} | {side**2 / 1e6:.0f} | {seconds:.1f} | {side**2 / 1e6 / seconds:.2f} | {peak:.0f} | "
            f"{4 * classes * side**2 / 2**20:.0f} |"
        )
        sys.stdout.write(rows[-1] + "\n")
    tile = " ".join(map(str, args.tile))
    command = (
        f"python benchmarks/large_image.py RUN IMAGES --sides {' '.join(map(str, args.sides))} --tile {tile} --runtime "
        f"{args.runtime} --precision {args.precision} --max-memory {args.max_memory}"
    )
    how = f"overlap {args.overlap}, {args.runtime} {args.precision}"
    note = f"{classes} classes, tiles of {tile}, {how}; whole commands.\n"
    draw(found, args.out.with_suffix(".png"))
    picture = f"\n![memory and time by size]({args.out.with_suffix('.png').name})\n"
    args.out.write_text("\n".join(["# Large pictures\n", provenance(command), note, *rows, picture]), encoding="utf-8")


def write_mosaic(path: Path, side: int, images: list[Path]) -> None:
    pictures = np.concatenate([np.asarray(Image.open(image).convert("RGB"))[:352, :480] for image in images], axis=1)
    band = np.tile(pictures, (2, -(-side // pictures.shape[1]), 1))[:BAND, :side].transpose(2, 0, 1)
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 3, "dtype": "uint8", "tiled": True}
    with rasterio.open(path, "w", **profile, blockxsize=512, blockysize=512, compress="lzw", crs="EPSG:3857") as target:
        for top in range(0, side, BAND):
            rows = min(BAND, side - top)
            target.write(np.roll(band, 37 * top // BAND, axis=2)[:, :rows], window=((top, top + rows), (0, side)))


def labelled(args: argparse.Namespace, source: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak MiB of the whole command."""
    tile = [str(side) for side in args.tile]
    command = [sys.executable, "-m", "pixelwise", "predict", str(args.run), str(source), "--out", str(out)]
    command += [
        "--tile",
        *tile,
        "--overlap",
        str(args.overlap),
        "--runtime",
        args.runtime,
        "--precision",
        args.precision,
    ]
    command += ["--max-memory", str(args.max_memory)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def draw(found: list[tuple[int, float, float]], path: Path) -> None:
    figure = Figure(figsize=(9, 3.6), dpi=110, layout="constrained")
    memory, duration = figure.subplots(1, 2)
    memory.plot([side for side, _, _ in found], [peak for _, _, peak in found], marker="o")
    memory.set(xlabel="side, pixels", ylabel="peak MiB", ylim=(0, None), title="memory by width")
    duration.plot([side**2 / 1e6 for side, _, _ in found], [seconds for _, seconds, _ in found], marker="o")
    duration.set(xlabel="megapixels", ylabel="seconds", ylim=(0, None), title="time by area")
    figure.savefig(path)


if __name__ == "__main__":
    main()
