"""What counting objects costs, beside prediction alone.

python benchmarks/count_large.py --side 5000 --predict
python benchmarks/count_large.py --side 20000 --ways 2

A mask with 250 objects a megapixel is drawn, of which some touch, and counted, each way in a
process of its own; with --predict a raster as large is labelled with the bundled model. A table
goes to the terminal.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import pixelwise
from pixelwise.inference.objects import ObjectRules, write_objects


def write_large(path: Path, side: int) -> None:
    """A raster of discs, 250 a megapixel, of which some touch."""
    import rasterio

    rng = np.random.default_rng(0)
    per_side = int(side / 1000 * np.sqrt(250))
    cell = side // per_side
    y, x = np.mgrid[-24:25, -24:25]
    labels = np.zeros((side, side), np.uint8)
    for row in range(per_side):
        for column in range(per_side):
            corner = np.array([row, column]) * cell + cell // 2 + rng.integers(-14, 15, 2)
            top, left = np.clip(corner - 24, 0, side - 49)
            labels[top : top + 49, left : left + 49][np.hypot(y, x) <= rng.integers(8, 22)] = 1
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 1, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    place = {"crs": "EPSG:32632", "transform": rasterio.transform.from_origin(5e5, 5.5e6, 0.1, 0.1)}
    with rasterio.open(path, "w", **profile, **tiles, **place) as target:
        target.write(labels, 1)


def run_large(args: argparse.Namespace) -> None:
    """Each way to count in a process of its own, and prediction alone."""
    with tempfile.TemporaryDirectory() as folder:
        mask = Path(folder) / "mask.tif"
        write_large(mask, args.side)
        print(f"| {args.side} x {args.side} | objects | processor s | seconds | peak MiB |")
        print("|---|---|---|---|---|")
        for way in ("no outlines", "outlines", "split")[: args.ways]:
            subprocess.run(
                [sys.executable, __file__, "--path", str(mask), "--way", way], check=True
            )
        if args.predict:
            photo = Path(folder) / "photo.tif"
            write_photo(photo, mask)
            subprocess.run(
                [sys.executable, __file__, "--path", str(photo), "--way", "label"], check=True
            )


def write_photo(path: Path, mask: Path) -> None:
    """A raster of the mask's size and place, with noise."""
    import rasterio

    rng = np.random.default_rng(0)
    with rasterio.open(mask) as source:
        profile = {**source.profile, "count": 3}
        with rasterio.open(path, "w", **profile) as target:
            for top in range(0, source.height, 512):
                window = ((top, min(top + 512, source.height)), (0, source.width))
                labels = source.read(1, window=window)
                noise = rng.integers(0, 60, (3, *labels.shape), dtype=np.uint8)
                target.write(noise + 120 * labels, window=window)


def count_one(args: argparse.Namespace) -> None:
    """A row of `large`."""
    mask = Path(args.path)
    if args.way == "no outlines":
        import pixelwise.inference.objects as module

        module.write_object_polygons = lambda *_: None
    begin = time.time()
    used = time.process_time()
    rules = ObjectRules(split=args.way == "split")
    line = write_objects(mask.parent, [mask], ("background", "cell"), rules)
    report(f"counting, {args.way}", line.removeprefix("cell "), begin, used)


def label_one(args: argparse.Namespace) -> None:
    """The row of prediction alone."""
    begin = time.time()
    used = time.process_time()
    pixelwise.predict("animals", args.path, Path(args.path).parent / "out")
    report("prediction alone, bundled model", "", begin, used)


def report(what: str, objects: str, begin: float, used: float) -> None:
    """A row."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.time() - begin
    print(f"| {what} | {objects} | {time.process_time() - used:.1f} | {seconds:.1f} | {peak:.0f} |")


def main() -> None:
    """Measure all ways, or the one of a process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=20000)
    parser.add_argument("--predict", action="store_true")
    parser.add_argument("--ways", type=int, default=3, help="so many of the three ways to count")
    parser.add_argument("--path", help="of the mask or photo that this process takes")
    parser.add_argument("--way", choices=("no outlines", "outlines", "split", "label"))
    args = parser.parse_args()
    if args.path is None:
        run_large(args)
    elif args.way == "label":
        label_one(args)
    else:
        count_one(args)


if __name__ == "__main__":
    main()
