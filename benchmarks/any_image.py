"""Images of other values and bands than photos beside the same in 8-bit RGB.

python benchmarks/any_image.py --data CAMVID --work WORK [--epochs N] [--seeds 0 1 2] [--side N]

1. CamVid written as 12-bit values in 16-bit TIFF files, with a gain and an offset for each band and
   a tenth of the pixels without value; trained with nothing set but the epochs, beside the PNG
   files of 8 bits, beside one range for all values in place of statistics, and as nnU-Net and
   TorchGeo prepare the same values (`ARMS`). In all of them the same pixels are void in the masks;
   mean IoU on the test images. `--shrink 2` halves the sides of the photos first.
2. A set that is drawn, of four bands of which the last alone shows a class: IoU of that class with
   all bands, and without the last.
3. A raster of SIDE pixels a side, or of fewer `--rows`: 8 bands of 16 bits beside 3 of 8 bits, by a network with random
   weights: megapixels a second, and the peak of memory beside what is said before the run.
"""

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from machine import provenance
from PIL import Image

import pixelwise
from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.inference.predict_raster import predict_raster
from pixelwise.io.band_files import BandValues, write_bands
from pixelwise.io.channels import Channels
from pixelwise.io.gdal import quiet_rasterio
from pixelwise.io.images import read_rgb, write_image, write_labels
from pixelwise.malloc import retain_memory
from pixelwise.palette import default_palette
from pixelwise.progress import Progress
from pixelwise.training import plan

GAIN = np.array([3.1, 5.3, 2.2])
OFFSET = np.array([900, 4000, 250])
HOLES = 0.1
HOLE_SIDE = 24

# What TorchGeo's data modules for surface reflectance of 16 bits divide by (such as its L7Irish and
# SEN12MS), with a mean of 0; and a value that none here is above.
REFLECTANCE = 10_000
GREATEST = 30_000


@dataclass(frozen=True)
class Arm:
    """Which of the written folders is trained on, with which options, and whether the network takes
    the values over REFLECTANCE as they are rather than by the mean and deviation of each band.
    """

    name: str
    folder: str
    options: dict[str, Any] = field(default_factory=dict)
    as_reflectance: bool = False


ARMS = {
    "plain": Arm("PNG of 8 bits", "plain"),
    "deep": Arm("TIFF of 12 bits in 16, holes, gain and offset", "deep"),
    "range": Arm("the same, 0 to 65535 as one range", "deep", {"value_range": "0,65535"}),
    "nnunet": Arm("nnU-Net's: z-score by image and channel, holes 0 before", "scored"),
    "torchgeo": Arm("TorchGeo's: mean and deviation by channel over the set, holes 0", "bare"),
    "reflectance": Arm(
        "TorchGeo's: divided by 10000, holes 0",
        "bare",
        {"value_range": f"0,{GREATEST}"},
        as_reflectance=True,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["plain", "deep", "range"])
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--side", type=int, default=4000)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--parts", nargs="+", default=["values", "fourth", "raster"])
    options = parser.parse_args()
    print(provenance(f"python benchmarks/any_image.py {' '.join(sys.argv[1:])}"))
    if "values" in options.parts:
        for line in compare_values(options):
            print(line, flush=True)
    if "fourth" in options.parts:
        for line in compare_bands(options):
            print(line, flush=True)
    if "raster" in options.parts:
        for line in compare_rasters(options):
            print(line, flush=True)


def compare_values(options: argparse.Namespace) -> Iterator[str]:
    """Rows of the table of 1."""
    if not (options.work / "plain").is_dir():
        write_camvid(options.data, options.work, options.shrink)
    yield "| images | " + " | ".join(f"seed {seed}" for seed in options.seeds) + " |"
    yield "|---|" + "---|" * len(options.seeds)
    for key in options.arms:
        scores = []
        for seed in options.seeds:
            run = options.work / f"run-{key}-{seed}"
            if not (run / "report.html").is_file():
                train_arm(ARMS[key], options.work, run, options.epochs, seed)
            data = options.work / ARMS[key].folder
            scores.append(pixelwise.evaluate(run, data, split="test").scores.mean_iou)
        yield f"| {ARMS[key].name} | " + " | ".join(f"{score:.4f}" for score in scores) + " |"


def train_arm(arm: Arm, work: Path, run: Path, epochs: int, seed: int) -> None:
    with ExitStack() as stack:
        if arm.as_reflectance:
            find = plan.find_dataset_channels

            def find_as_reflectance(*args: Any) -> Channels:
                channels = find(*args)
                own = {"mean": (0.0,), "std": (REFLECTANCE / GREATEST,)}
                return replace(channels, **{key: row * len(channels) for key, row in own.items()})

            patched = mock.patch.object(plan, "find_dataset_channels", find_as_reflectance)
            stack.enter_context(patched)
        pixelwise.train(work / arm.folder, run, epochs=epochs, seed=seed, **arm.options)


def write_camvid(source: Path, work: Path, shrink: int) -> None:
    """The same pixels void in all masks; beneath them `plain` has the photo, `deep` nothing. `bare`
    has 0 there, as who reads the file without its mask, and `scored` is what nnU-Net makes of that
    (its ZScoreNormalization, which it takes for every channel that is no CT or RGB).
    """
    dataset = open_dataset(source)
    rng = np.random.default_rng(0)
    for split in dataset.splits:
        for pair in dataset.pairs(split):
            rgb = np.asarray(Image.fromarray(read_rgb(pair.image)).reduce(shrink))
            labels = dataset.read_labels(pair.mask)[::shrink, ::shrink]
            holes = draw_holes(labels.shape, rng)
            labels = np.where(holes, VOID, labels).astype(np.uint8)
            fine = rgb.astype(np.float64) * 16 + rng.integers(0, 16, rgb.shape)  # 12 bits
            values = np.rint(fine * GAIN + OFFSET).astype(np.uint16).transpose(2, 0, 1)
            valid = np.broadcast_to(~holes, values.shape)
            bare = np.where(valid, values, 0)
            mean, std = (
                measure(bare, axis=(1, 2), keepdims=True, dtype=np.float64)
                for measure in (np.mean, np.std)
            )
            versions = {
                "deep": (bare, valid),
                "bare": (bare, None),
                "scored": (((bare - mean) / std).astype(np.float32), None),
            }
            for name in ("plain", *versions):
                target = work / name / "masks" / split / f"{pair.name}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                write_labels(target, labels, dataset.classes.palette)
                image = work / name / "images" / split / f"{pair.name}.tif"
                image.parent.mkdir(parents=True, exist_ok=True)
                if name == "plain":
                    write_image(image.with_suffix(".png"), rgb)
                else:
                    bands = BandValues(*versions[name], ("red", "green", "blue"))
                    write_bands(image, bands)
    for name in ("plain", *versions):
        text = "\n".join(dataset.classes.names)
        (work / name / "classes.txt").write_text(text + "\n", encoding="utf-8")


def draw_holes(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Squares that cover a tenth, (H, W)."""
    holes = np.zeros(shape, bool)
    while holes.mean() < HOLES:
        top = rng.integers(0, shape[0] - HOLE_SIDE)
        left = rng.integers(0, shape[1] - HOLE_SIDE)
        holes[top : top + HOLE_SIDE, left : left + HOLE_SIDE] = True
    return holes


def compare_bands(options: argparse.Namespace) -> Iterator[str]:
    """Rows of the table of 2."""
    data = options.work / "fourth"
    if not data.is_dir():
        draw_fourth(data)
    yield "| bands | IoU of the class |"
    yield "|---|---|"
    for name, extra in (("all four", {}), ("the first three", {"bands": "1,2,3"})):
        run = options.work / f"fourth-{len(extra)}"
        if not (run / "report.html").is_file():
            pixelwise.train(data, run, epochs=40, **extra)
        scores = pixelwise.evaluate(run, data, split="val").scores
        yield f"| {name} | {scores.iou[1]:.3f} |"


def draw_fourth(root: Path) -> None:
    """Clouds of three bands; discs that the fourth alone shows, a little above its noise."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 40), ("val", 12)):
        (root / split / "images").mkdir(parents=True)
        (root / split / "masks").mkdir()
        for number in range(count):
            rows, columns = np.mgrid[:192, :224]
            labels = np.zeros(rows.shape, np.uint8)
            for _ in range(3):
                middle = rng.integers(20, 172), rng.integers(20, 204)
                distance = np.hypot(rows - middle[0], columns - middle[1])
                labels[distance < rng.integers(10, 32)] = 1
            bands = [1000 + 300 * draw_cloud(rng, rows.shape) for _ in range(3)]
            bands.append(800 + rng.normal(0, 60, rows.shape) + 400 * labels.astype(float))
            values = np.stack(bands).clip(1, 4095).astype(np.uint16)
            target = root / split / "images" / f"{number:03d}.tif"
            write_bands(target, BandValues(values, None, ("red", "green", "blue", "nir")))
            write_labels(
                root / split / "masks" / f"{number:03d}.png",
                labels,
                default_palette(("ground", "plant")),
            )
    (root / "classes.txt").write_text("ground\nplant\n", encoding="utf-8")


def draw_cloud(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    small = Image.fromarray(rng.normal(size=(6, 7)).astype(np.float32))
    return np.asarray(small.resize(shape[::-1], Image.Resampling.BILINEAR))


def compare_rasters(options: argparse.Namespace) -> Iterator[str]:
    """Rows of the table of 3."""
    yield "| raster | MP/s | MiB that were said | MiB at the peak beyond the start |"
    yield "|---|---|---|---|"
    for count, kind in ((3, "uint8"), (8, "uint16")):
        model = options.work / f"random{count}.safetensors"
        if not model.is_file():
            write_random_model(model, count, kind)
        raster = options.work / f"raster{count}.tif"
        height = options.rows or options.side
        if not raster.is_file():
            draw_raster(raster, (height, options.side), count, kind)
        out = options.work / f"out{count}-{time.time():.0f}"
        command = [sys.executable, __file__, "--work", str(options.work), "--parts", "one"]
        report = subprocess.run(
            [*command, str(model), str(raster), str(out)],
            stdout=subprocess.PIPE, text=True, check=True, encoding="utf-8",
        ).stdout  # fmt: skip
        seconds, said, peak = map(float, report.split()[-3:])
        speed = height * options.side / 1e6 / seconds
        yield f"| {count} bands of {kind} | {speed:.2f} | {said:.0f} | {peak:.0f} |"


def predict_one(model: str, raster: str, out: str) -> None:
    """Seconds, the memory that is said before, and the peak beyond that of a small raster."""
    lines = list[str]()

    class Lines(Progress):
        def log(self, text: str) -> None:
            lines.append(text)

    predictor = pixelwise.load(model, runtime="onnxruntime")
    channels = predictor.rule.channels
    kind = ("uint8", 3) if channels is None else (channels.kind, channels.count)
    small = Path(out) / "small.tif"
    small.parent.mkdir()
    draw_raster(small, (600, 600), kind[1], kind[0])
    with retain_memory():  # as the command does
        predict_raster(predictor, small, small.parent, stem="first")
        begun = read_peak()
        start = time.perf_counter()
        predict_raster(predictor, Path(raster), Path(out), progress=Lines())
    seconds = time.perf_counter() - start
    print(*lines, file=sys.stderr)
    said = next(match[1] for line in lines if (match := re.search(r"up to (\d+) MiB", line)))
    peak = read_peak() - begun
    print(seconds, said, peak)


def read_peak() -> float:
    """MiB that this process held at most; `getrusage` would count the parent's as well."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def write_random_model(path: Path, count: int, kind: str) -> None:
    from pixelwise.classes import Classes
    from pixelwise.io.channels import Channels
    from pixelwise.models.checkpoint import Header, save_model
    from pixelwise.models.config import ModelConfig
    from pixelwise.models.registry import build_segmenter

    config = ModelConfig("light", "tf_efficientnet_lite0", 5)
    reading = {}
    if kind != "uint8":
        names = tuple(f"band {number}" for number in range(1, count + 1))
        ends = ((0.0,) * count, (4095.0,) * count)
        shares = ((0.5,) * count, (0.25,) * count)
        channels = Channels(names, tuple(range(1, count + 1)), *ends, *shares, count, kind, "set")
        reading = {"channels": channels.to_header()}
        config = replace(config, channels=count)
    names = tuple("abcde")
    classes = Classes(names, default_palette(names))
    save_model(path, build_segmenter(config), Header(config, classes, {"reading": reading}))


def draw_raster(path: Path, size: tuple[int, int], count: int, kind: str) -> None:
    rasterio = quiet_rasterio()
    rows, width = size
    rng = np.random.default_rng(0)
    profile = {"crs": "EPSG:32633", "transform": rasterio.transform.from_origin(5e5, 5e6, 1, 1)}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=rows, count=count, dtype=kind,
        photometric="minisblack" if kind != "uint8" else "rgb", BIGTIFF="YES", **profile, **tiles,
    ) as dataset:  # fmt: skip
        high = 255 if kind == "uint8" else 4095
        for top in range(0, rows, 512):
            height = min(512, rows - top)
            strip = rng.integers(0, high // 8, (count, height // 8 + 1, width // 8 + 1))
            wide = strip.repeat(8, 1).repeat(8, 2)[:, :height, :width] * 8
            dataset.write(wide.astype(kind), window=((top, top + height), (0, width)))


if __name__ == "__main__":
    if "one" in sys.argv:
        predict_one(*sys.argv[-3:])
    else:
        main()
