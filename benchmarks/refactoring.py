"""Two checkouts of pixelwise beside each other: the same findings, labels, masks, weights, scores.

    python benchmarks/refactoring.py OLD NEW DATA --out benchmarks/results/refactoring.md

OLD and NEW are checkouts; DATA holds camvid/, voc/ and portraits/. Everything goes through the
command line, so that the code inside may differ. Faults are planted by benchmarks/faults.
"""

import argparse
import hashlib
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from clinic import sample
from faults import FAULTS, SampleSet
from machine import provenance
from PIL import Image
from safetensors.numpy import load_file

from pixelwise.datasets.synthetic import write_shapes

FORMATS = ("folder", "voc", "coco", "labelme", "cvat", "yolo", "supervisely")
PREDICTIONS = {
    "plain": [],
    "tta, two scales": ["--tta", "--scale", "0.75", "--scale", "1"],
    "confidence": ["--confidence"],
    "largest person": ["--largest", "person"],
}
ROUNDS = 3


class Checkout:
    """One source tree, run by its command line in a process of its own."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.cache = cache
        self.seconds = 0.0

    def run(self, *words: object, threads: int = 2) -> subprocess.CompletedProcess[str]:
        """Run `pixelwise WORDS`; `seconds` holds the CPU time of it afterwards."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.root / "src"),
            "XDG_CACHE_HOME": str(self.cache),
            "OMP_NUM_THREADS": str(threads),
        }
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = subprocess.run(
            [sys.executable, "-m", "pixelwise", *map(str, words)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--every", type=int, default=1, help="check only every so many plantings")
    parser.add_argument("--only", nargs="*", choices=sorted(PARTS), default=sorted(PARTS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    command = shlex.join(
        ["python", "benchmarks/refactoring.py", "OLD", "NEW", "DATA", *options(args)]
    )
    lines = [provenance(command)]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sides = [Checkout(args.old, work / "cache-old"), Checkout(args.new, work / "cache-new")]
        for name in args.only:
            place = work / name
            place.mkdir()
            for line in PARTS[name](sides, args, place):
                lines.append(line)
                print(line, file=sys.stderr, flush=True)
            shutil.rmtree(place)
    text = "\n".join([*lines, ""])
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def options(args: argparse.Namespace) -> list[str]:
    """The options as they were given, without those at their defaults."""
    words = [] if len(args.only) == len(PARTS) else ["--only", *args.only]
    return [*words, *(["--every", str(args.every)] if args.every > 1 else [])]


def digests(folder: Path, suffixes: tuple[str, ...] = (".png", ".tif", ".jpg")) -> dict[str, str]:
    """SHA-256 of the pictures below `folder`, by their relative paths."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.suffix in suffixes
    }


def verdict(old: dict[str, Any], new: dict[str, Any]) -> str:
    """How many entries there are and which differ."""
    names = old.keys() | new.keys()
    unequal = sorted(name for name in names if old.get(name) != new.get(name))
    if not names:
        return "NOTHING TO COMPARE"
    if not unequal:
        return f"all {len(names)} the same"
    return f"{len(unequal)} of {len(names)} DIFFER: {', '.join(unequal[:5])}"


def compare_findings(sides: list[Checkout], args: argparse.Namespace, work: Path) -> list[str]:
    """The findings of `check` for every fault planted, strong and mild."""
    lines = ["", "## Findings of `check`", ""]
    sets = {name: sample(args.data, name, work / name) for name in ("street", "animals", "people")}
    cases: list[tuple[str, Callable[[], Path]]] = [
        (f"untouched {name}", lambda name=name: args.data / name)  # type: ignore[misc]
        for name in ("camvid", "voc", "portraits")
    ]
    for fault in FAULTS:
        for name in fault.sets:
            for mild in (False, True):
                label = f"{fault.name}, {name}, {'mild' if mild else 'strong'}"
                cases.append((label, lambda f=fault, n=name, m=mild: plant(f, sets[n], m, work)))  # type: ignore[misc]
    unequal = []
    cases = cases[:3] + cases[3 :: args.every]
    for label, make in cases:
        folder = make()
        results = [findings(side, folder, work / "findings.json") for side in sides]
        if results[0] != results[1]:
            unequal.append(f"- {label}: {difference(*results)}")
    lines.append(f"{len(cases)} sets: {len(cases) - len(unequal)} with the same findings.")
    return [*lines, *([""] if unequal else []), *unequal]


def plant(fault: Any, sample_set: SampleSet, mild: bool, work: Path) -> Path:
    folder = work / "sample_set"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sample_set.root, folder)
    fault.plant(SampleSet(folder, sample_set.binary, sample_set.names, sample_set.palette), mild)
    return folder


def findings(side: Checkout, data: Path, path: Path) -> dict[str, Any]:
    """Severity and places of each finding by its id, and the classes; or what was refused."""
    path.unlink(missing_ok=True)
    result = side.run("check", data, "--json", path)
    if not path.exists():
        return {"refused": result.stderr.strip()}
    report = json.loads(path.read_text(encoding="utf-8"))
    rows = {row["id"]: [row["severity"], row["places"]] for row in report["findings"]}
    return {"classes": report["classes"], "splits": report["splits"], **rows}


def difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return "; ".join(f"{name}: {old.get(name)} -> {new.get(name)}" for name in names)


def compare_labels(sides: list[Checkout], args: argparse.Namespace, work: Path) -> list[str]:
    """Labels of every format, converted to a plain folder by both."""
    lines = ["", "## Labels by every reader", "", "| data | labels |", "|---|---|"]
    source = work / "shapes"
    write_shapes(source, train=12, val=4, test=4, size=(96, 128), seed=5)
    sets = {name: args.data / name for name in ("camvid", "voc", "portraits")}
    for name in FORMATS:
        sets[name if name != "voc" else "voc (written)"] = work / f"as-{name}"
        sides[0].run("convert", source, work / f"as-{name}", "--to", name)
    for name, folder in sets.items():
        results = []
        for number, side in enumerate(sides):
            out = work / f"{name}-{number}"
            side.run("convert", folder, out, "--to", "folder")
            results.append(digests(out, (".png", ".txt")))
        lines.append(f"| {name} | {verdict(*results)} |")
    return lines


def compare_masks(sides: list[Checkout], args: argparse.Namespace, work: Path) -> list[str]:
    """Masks of the bundled model: whole, resumed, with options, as raster."""
    lines = ["", "## Masks", "", "| how | files |", "|---|---|"]
    images = sorted((args.data / "voc").rglob("JPEGImages/*.jpg"))[: args.images]
    listing = work / "images.txt"
    listing.write_text("\n".join(str(path.resolve()) for path in images) + "\n")
    few = work / "few.txt"
    few.write_text("\n".join(str(path.resolve()) for path in images[:40]) + "\n")
    for name, options in PREDICTIONS.items():
        results = []
        for number, side in enumerate(sides):
            out = work / f"{name}-{number}"
            side.run("predict", "animals", few if options else listing, "--out", out, *options)
            results.append(digests(out))
        lines.append(f"| {name} | {verdict(*results)} |")
    lines.append(f"| resumed | {verdict(*[resumed(side, few, work) for side in sides])} |")
    raster = mosaic(images[:12], work / "mosaic.tif")
    results = []
    for number, side in enumerate(sides):
        out = work / f"raster-{number}"
        side.run("predict", "animals", raster, "--out", out, "--confidence", "--max-memory", "300")
        results.append(digests(out))
    lines.append(f"| a raster read by window | {verdict(*results)} |")
    for number, side in enumerate(sides):
        out = work / f"ray-{number}"
        cluster = ["--cluster", "local", "--workers", "2"]
        side.run("predict", "animals", few, "--out", out, *cluster)
        results[number] = digests(out)
    lines.append(f"| Ray's local cluster, 2 workers | {verdict(*results)} |")
    return lines


def resumed(side: Checkout, listing: Path, work: Path) -> dict[str, str]:
    """Half of the masks deleted, then made again."""
    out = work / f"resumed-{side.cache.name}"
    side.run("predict", "animals", listing, "--out", out)
    for path in sorted(out.glob("*.png"))[::2]:
        path.unlink()
    side.run("predict", "animals", listing, "--out", out)
    return digests(out)


def mosaic(images: list[Path], path: Path) -> Path:
    """A georeferenced picture of 12 photos, 1500 x 2000."""
    import rasterio
    from rasterio.transform import from_origin

    tiles = [np.asarray(Image.open(image).convert("RGB").resize((500, 500))) for image in images]
    rows = [np.concatenate(tiles[at : at + 4], axis=1) for at in (0, 4, 8)]
    rgb = np.concatenate(rows)  # (H, W, 3)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=rgb.shape[1],
        height=rgb.shape[0],
        count=3,
        dtype="uint8",
        crs="EPSG:32632",
        transform=from_origin(500_000, 5_400_000, 0.2, 0.2),
    ) as target:
        target.write(rgb.transpose(2, 0, 1))
    return path


def compare_training(sides: list[Checkout], args: argparse.Namespace, work: Path) -> list[str]:
    """Weights of a short training in float32, and what `evaluate` says of them."""
    lines = ["", "## A training and its evaluation", ""]
    data = work / "shapes"
    write_shapes(data, train=24, val=6, test=6, size=(96, 128), seed=7)
    weights, scores = [], []
    options = ["--epochs", 2, "--crop", 64, 96, "--batch", 4, "--precision", "float32"]
    for number, side in enumerate(sides):
        run = work / f"run-{number}"
        side.run("train", data, "--out", run, *options, "--device", "cpu", threads=1)
        tensors = load_file(run / "model.safetensors")
        weights.append({key: hash_array(array) for key, array in tensors.items()})
        for name, model, images in (("own", work / "run-0", data), ("voc", "animals", None)):
            path = work / f"{name}-{number}.json"
            side.run("evaluate", model, images or args.data / "voc", "--json", path)
            scores.append(path.read_text() if path.exists() else f"none {number}")
    lines.append(f"- tensors of the weights: {verdict(*weights)}")
    for name, old, new in (("own run", scores[0], scores[2]), ("animals on VOC", *scores[1::2])):
        lines.append(f"- `evaluate --json`, {name}: {'the same' if old == new else 'DIFFERS'}")
    return lines


def hash_array(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def compare_speed(sides: list[Checkout], args: argparse.Namespace, work: Path) -> list[str]:
    """CPU seconds of whole commands, old and new in turn, the least of a few rounds."""
    lines = [
        "",
        "## CPU seconds, old and new in turn, the least of three",
        "",
        "| command | old | new | ratio |",
        "|---|---|---|---|",
    ]
    data = work / "shapes"
    write_shapes(data, train=160, val=8, test=8, size=(192, 256), seed=7)
    pairs = work / "pairs"
    write_shapes(pairs, train=800, val=100, test=100, size=(192, 256), seed=9)
    train = ["--epochs", 1, "--crop", 192, 256, "--precision", "float32", "--set", "workers=0"]
    images = args.data / "camvid" / "test"
    commands: dict[str, Callable[[int], list[object]]] = {
        "predict, 233 images": lambda n: [
            "predict",
            "animals",
            images,
            "--out",
            work / f"masks-{n}",
            "--runtime",
            "openvino",
            "--precision",
            "float32",
        ],
        "an epoch of 160 samples": lambda n: [
            "train",
            data,
            "--out",
            work / f"run-{n}",
            *train,
            "--set",
            "predict_scale=1",
        ],
        "check, 1,000 pairs": lambda n: ["check", pairs],
    }
    for name, words in commands.items():
        seconds: list[list[float]] = [[], []]
        for number in range(ROUNDS):
            for side, row in zip(sides, seconds, strict=True):
                shutil.rmtree(side.cache / "pixelwise", ignore_errors=True)
                side.run(*words(2 * number + sides.index(side)))
                row.append(side.seconds)
        old, new = map(min, seconds)
        lines.append(f"| {name} | {old:.1f} | {new:.1f} | {new / old:.3f} |")
    walls = []
    for side in sides:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            side.run("--help")
            times.append(time.perf_counter() - start)
        walls.append(min(times))
    lines.append(
        f"| `--help`, wall | {walls[0]:.2f} | {walls[1]:.2f} | {walls[1] / walls[0]:.2f} |"
    )
    return lines


PARTS = {
    "findings": compare_findings,
    "labels": compare_labels,
    "masks": compare_masks,
    "training": compare_training,
    "speed": compare_speed,
}

if __name__ == "__main__":
    main()
