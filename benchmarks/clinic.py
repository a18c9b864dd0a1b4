"""Faults planted in real data, and what `pixelwise check` says of them; then many images at once.

    python benchmarks/clinic.py faults DATA --out benchmarks/results/clinic.md
    python benchmarks/clinic.py many DATA --count 10000

DATA holds camvid/, voc/ and portraits/. `faults` checks the three untouched sets, then every fault
of faults/ in a clean sample of them, strong and mild. A fault is found when a finding that the
clean sample does not have appears on a planted file (or anywhere, for faults of the whole set), and
named rightly when that finding is the one expected.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
from faults import FAULTS, Fault, SampleSet, save_mask
from machine import provenance
from PIL import Image

from pixelwise.checks.examine import CheckResult, examine
from pixelwise.datasets.issue_types import ISSUE_TYPES
from pixelwise.datasets.open_dataset import open_dataset

TRAIN = 40
REST = 12
WIDEST = 500


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("faults", "many"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument(
        "--folder", type=Path, help="where `many` makes its images, or finds them made"
    )
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    command = shlex.join(
        ["python", "benchmarks/clinic.py", args.what, "DATA", "--count", str(args.count)]
    )
    lines = (
        faults(args.data, args.only)
        if args.what == "faults"
        else many(args.data, args.count, args.folder)
    )
    text = "\n".join([provenance(command), *lines, ""])
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def faults(data: Path, only: str) -> list[str]:
    lines = ["| untouched set | pairs | errors | warnings | notes |", "|---|---|---|---|---|"]
    for name in ("camvid", "voc", "portraits") if not only else ():
        seen = examine(data / name)
        said = [
            ", ".join(f"{f.id} {f.places}" for f in seen.findings.of(s)) or "none"
            for s in ("error", "warning", "note")
        ]
        lines.append(f"| {name} | {len(seen.pairs)} | {' | '.join(said)} |")
    rows = []
    score = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        sets = {
            name: sample(data, name, Path(folder) / name)
            for name in ("street", "animals", "people")
        }
        clean = {name: spots(examine(sample_set.root)) for name, sample_set in sets.items()}
        errors = {
            name: sorted({kind for kind, _ in them if ISSUE_TYPES[kind].severity == "error"})
            for name, them in clean.items()
        }
        for fault in FAULTS:
            if only in fault.name:
                for name in fault.sets:
                    for mild in (False, True):
                        found, named, new = plant(
                            fault, sets[name], clean[name], mild, Path(folder) / "sample_set"
                        )
                        form = "mild" if mild else "strong"
                        rows.append(
                            f"| {fault.name} | {name} | {form} | {found} | {named} | {new} |"
                        )
                        score.update({form: 1, "found": found == "yes", "named": named == "yes"})
                        print(rows[-1], file=sys.stderr, flush=True)
    total = score["strong"] + score["mild"]
    lines += ["", f"Errors in the clean samples: {errors}.", ""]
    lines.append(
        f"{len(FAULTS)} faults, {total} plantings ({score['strong']} strong, {score['mild']} "
        "mild): "
        f"found {score['found']} ({score['found'] / total:.1%}), "
        f"named rightly {score['named']} ({score['named'] / total:.1%})."
    )
    return [
        *lines,
        "",
        "| fault | set | form | found | named rightly | findings that are new |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def plant(
    fault: Fault, sample_set: SampleSet, clean: set[tuple[str, str]], mild: bool, folder: Path
) -> tuple[str, str, str]:
    """(found, named rightly, the new kinds)."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sample_set.root, folder)
    sick = SampleSet(folder, sample_set.binary, sample_set.names, sample_set.palette)
    files = {path.name for path in fault.plant(sick, mild)}
    stems = {Path(name).stem.removesuffix("_matte") for name in files}
    try:
        seen = spots(examine(folder)) - clean
    except Exception:  # a crash is a fault not found; say which
        return (
            "no",
            "no",
            traceback.format_exc(limit=-1).strip().splitlines()[-1].replace("|", "/")[:120],
        )
    new = {
        kind
        for kind, name in seen
        if not files or not name or name in files or Path(name).stem.removesuffix("_matte") in stems
    }
    named = bool(new & set(fault.kinds))
    return ("yes" if new else "no"), ("yes" if named else "no"), ", ".join(sorted(new)) or "none"


def spots(found: CheckResult) -> set[tuple[str, str]]:
    """(kind, file name or text) of everything found."""
    return {
        (f.id, issue.file.name if issue.file else "") for f in found.findings for issue in f.issues
    }


def sample(data: Path, name: str, folder: Path) -> SampleSet:
    """A clean sample as a plain folder: 40 pairs to train, 12 to validate and to test, evenly
    drawn.
    """
    source = {"street": "camvid", "animals": "voc", "people": "portraits"}[name]
    dataset = open_dataset(data / source)
    binary = name == "people"
    sample_set = SampleSet(folder, binary, dataset.classes.names, dataset.classes.palette)
    pools = {
        "train": dataset.pairs("train"),
        "test": dataset.pairs("test" if "test" in dataset.splits else "val"),
    }
    pools["val"] = pools["test"][1::2] if name != "street" else dataset.pairs("val")
    pools["test"] = pools["test"][::2] if name != "street" else pools["test"]
    for split, pairs in pools.items():
        count = TRAIN if split == "train" else REST
        for pair in [pairs[at * len(pairs) // count] for at in range(count)]:
            image = Image.open(pair.image)
            scale = min(1.0, WIDEST / max(image.size))
            size = (round(image.width * scale), round(image.height * scale))
            labels = Image.fromarray(
                dataset.read_labels(pair.mask) * np.uint8(255 if binary else 1)
            )
            target = folder / "images" / split / f"{pair.name}.jpg"
            for path in (target, folder / "masks" / split / f"{pair.name}.png"):
                path.parent.mkdir(parents=True, exist_ok=True)
            if scale == 1:
                shutil.copy(pair.image, target)
            else:
                image.resize(size, Image.Resampling.LANCZOS).save(target, quality=92)
            save_mask(
                folder / "masks" / split / f"{pair.name}.png",
                np.asarray(labels.resize(size, Image.Resampling.NEAREST)),
                sample_set,
            )
    if not binary:
        (folder / "classes.txt").write_text("\n".join(sample_set.names) + "\n")
    return sample_set


def many(data: Path, count: int, folder: Path | None) -> list[str]:
    """A tenth of `count`, then all: seconds and peak memory, each in a process of its own."""
    lines = ["| pairs | seconds | pairs/s | peak MiB | findings |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as made:
        for number in (count // 10, count):
            place = (folder or Path(made)) / str(number)
            grow(data, place, number)
            start = time.perf_counter()
            command = [sys.executable, "-m", "pixelwise", "check", str(place)]
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as process:
                said = process.stdout.read() if process.stdout else ""
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - start
            last = said.strip().splitlines()[-1]
            lines.append(
                f"| {number:,} | {seconds:.0f} | {number / seconds:.1f} | "
                f"{usage.ru_maxrss / 1024:.0f} | {last} |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
    return lines


def grow(data: Path, folder: Path, count: int) -> None:
    """Distinct pairs: crops of CamVid of half its size, at places of their own, mirrored or not,
    with CamVid's ids.
    """
    pairs = [
        pair
        for split in ("train", "val", "test")
        for pair in open_dataset(data / "camvid").pairs(split)
    ]
    dataset = open_dataset(data / "camvid")
    rng = np.random.default_rng(0)
    for split in ("images", "masks"):
        (folder / split).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        y = int(rng.integers(0, 120))
        x = int(rng.integers(0, 160))
        turn = int(rng.integers(0, 2))
        if (folder / "masks" / f"{number:06}.png").exists():
            continue
        pair = pairs[number % len(pairs)]
        box = (x, y, x + 320, y + 240)
        for name, picture in (
            ("images", Image.open(pair.image)),
            ("masks", Image.fromarray(dataset.read_labels(pair.mask))),
        ):
            part = picture.crop(box)
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if turn else part
            part.save(folder / name / f"{number:06}.{'jpg' if name == 'images' else 'png'}")
    (folder / "classes.txt").write_text("\n".join(dataset.classes.names) + "\n")


if __name__ == "__main__":
    main()
