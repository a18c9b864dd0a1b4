"""A class more, later: plain fine-tuning beside fine-tuning with the old model as teacher.

python benchmarks/new_class.py --data VOC --new dog --minutes 4 2 --work WORK

The old model is trained on the training images without the class NEW, whose pixels are void. The
new data are the images that show it: it and the first class (background) are labelled, all other
classes are void. Both ways start from the old model, for the same minutes of processor time on one
thread (as in defaults.py), and are scored on all classes of the test images.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from defaults import OURS, result_of
from machine import provenance
from PIL import Image

import pixelwise
from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--new", required=True)
    parser.add_argument("--minutes", type=float, nargs=2, default=[4, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = open_dataset(options.data, DataOptions())
    label = data.classes.names.index(options.new)
    held = [pair for split in ("train", "val") for pair in data.splits.get(split, ())]
    without = write(data, held, options.work / "data/old", lambda mask: mask == label)
    showing = [pair for pair in held if (data.read_labels(pair.mask) == label).any()]
    keep = (0, label)
    later = write(data, showing, options.work / "data/new", lambda mask: ~np.isin(mask, keep))
    first, second = options.minutes
    old = run_of("old", "", without, first, options)
    start = f"--start {old}"
    runs = {
        "the old model": old,
        "fine-tuned": run_of("plain", start, later, second, options),
        "fine-tuned, the old model as teacher": run_of(
            "teacher", f"{start} --teacher {old}", later, second, options
        ),
    }
    lines = [
        f"| model | mean IoU of the {len(data.classes) - 1} old classes | {options.new} |",
        "|---|---|---|",
    ]
    for name, run in runs.items():
        iou = np.array(pixelwise.evaluate(pixelwise.load(run), options.data).scores.iou)
        lines.append(f"| {name} | {np.delete(iou, label).mean():.3f} | {iou[label]:.3f} |")
        print(lines[-1], flush=True)
    if options.out:
        command = f"python benchmarks/new_class.py {' '.join(sys.argv[1:])}"
        options.out.write_text("\n".join([provenance(command), *lines, ""]), encoding="utf-8")


def write(data: DataSet, pairs: list[Pair], root: Path, is_void: object) -> Path:
    """A folder of these images, whose masks are void where `is_void` says so."""
    if root.exists():
        return root
    for pair in pairs:
        image = root / "images" / pair.image.name
        target = root / "masks" / f"{pair.image.stem}.png"
        for path in (image, target):
            path.parent.mkdir(parents=True, exist_ok=True)
        image.symlink_to(pair.image.resolve())
        mask = data.read_labels(pair.mask).copy()
        mask[is_void(mask)] = VOID
        Image.fromarray(mask).save(target)
    (root / "classes.txt").write_text("\n".join(data.classes.names) + "\n")
    return root


def run_of(name: str, words: str, data: Path, minutes: float, options: argparse.Namespace) -> Path:
    arm = argparse.Namespace(
        **{**vars(options), "name": name, "options": words, "minutes": minutes}
    )
    result_of(OURS, "new_class", data, arm)
    return options.work / "new_class" / f"{name}-{60 * minutes:.0f}s-{options.seed}"


if __name__ == "__main__":
    main()
