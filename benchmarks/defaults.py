"""The default training beside a script of forty lines, on small sets, at equal processor time.

python benchmarks/defaults.py --sets texture things blobs blobs10 lines --minutes 2 --work WORK
python benchmarks/defaults.py --sets camvid:20 voc:40 --data DATA --minutes 4 --work WORK

`pixelwise train` with nothing set but the minutes, which are counted in processor time here (the
machine may be shared), on one thread; then short_script.py for as many seconds as that whole
command took, with its start, validation, pictures and report. Both are scored by pixelwise on the
same test images. Sets are those of drawn_sets.py, or `name:count`, the first so many training
images of a data set in DATA/name. An arm that is finished in WORK is not run again; --options adds
options to pixelwise's, under a name of its own.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from drawn_sets import SETS, write_set
from machine import cpu_seconds, provenance

OURS = "pixelwise"
SCRIPT = "script"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--data", type=Path, help="folder of real data sets")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="+", default=[OURS, SCRIPT])
    parser.add_argument("--name", default=OURS, help="folder of pixelwise's runs in WORK")
    parser.add_argument("--options", default="", help="more options of pixelwise train")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="page to write")
    options = parser.parse_args()
    lines = [
        "| data | trained by | steps | CPU s | val | test mean IoU |",
        "|---|---|---|---|---|---|",
    ]
    for name in options.sets:
        data = folder_of(name, options)
        for arm in options.arms:
            row = result_of(arm, name, data, options)
            lines.append(
                f"| {name} | {options.name if arm == OURS else arm} | {row['steps']} | "
                f"{row['seconds']:.0f} | {row['val']} | {row['iou']:.3f} |"
            )
            print(lines[-1], flush=True)
    if options.out:
        command = f"python benchmarks/defaults.py {' '.join(sys.argv[1:])}"
        options.out.write_text("\n".join([provenance(command), *lines, ""]), encoding="utf-8")


def folder_of(name: str, options: argparse.Namespace) -> Path:
    """The data of a set: drawn, or a link to some images of a real one."""
    if name in SETS:
        return write_set(name, options.work / "data")
    real, _, count = name.partition(":")
    return options.data / real if not count else subset(options.data / real, int(count), options)


def subset(source: Path, count: int, options: argparse.Namespace) -> Path:
    """The first training images at even steps, and all test images (VOC's: its `val`), as links."""
    from pixelwise.datasets.open_dataset import open_dataset
    from pixelwise.datasets.types import DataOptions

    root = options.work / "data" / f"{source.name}-{count}"
    if root.exists():
        return root
    data = open_dataset(source, DataOptions())
    pairs = data.pairs("train")
    step = len(pairs) // count
    test = data.pairs("test" if "test" in data.splits else "val")
    from PIL import Image

    for split, chosen in (
        ("train", pairs[::step][:count]),
        ("test", test[:: max(1, len(test) // 60)]),
    ):
        for part in ("images", "masks"):
            (root / part / split).mkdir(parents=True, exist_ok=True)
        for pair in chosen:
            stem = pair.image.stem
            (root / "images" / split / f"{stem}{pair.image.suffix}").symlink_to(
                pair.image.resolve()
            )
            Image.fromarray(data.read_labels(pair.mask)).save(
                root / "masks" / split / f"{stem}.png"
            )
    (root / "classes.txt").write_text("\n".join(data.classes.names) + "\n")
    return root


def result_of(arm: str, name: str, data: Path, options: argparse.Namespace) -> dict[str, object]:
    """Steps, CPU seconds and score of an arm; trains it unless that is done."""
    label = options.name if arm == OURS else arm
    base = (
        options.work
        / name.replace(":", "-")
        / f"{label}-{60 * options.minutes:.0f}s-{options.seed}"
    )
    done = base.with_suffix(".json")
    if done.exists():
        return json.loads(done.read_text())
    base.parent.mkdir(parents=True, exist_ok=True)
    if arm == OURS:
        words = [__file__, "--ours", str(data), "--out", str(base), "--seed", str(options.seed)]
        if "--epochs" not in options.options:
            words += ["--minutes", f"{options.minutes:g}"]
        words += shlex.split(options.options)
    else:
        seconds = result_of(OURS, name, data, options)["seconds"]
        script = Path(__file__).with_name("short_script.py")
        # photos have an up, what is drawn has none
        axes = "1" if ":" in name else "01"
        words = [str(script), str(data), f"{base}.pt", str(seconds), str(options.seed), axes]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    before = cpu_seconds()
    with base.with_suffix(".log").open("w") as log:
        code = subprocess.run(
            [sys.executable, *words], stdout=log, stderr=log, env=environment, check=False
        )
    if code.returncode:
        raise SystemExit(f"a training failed: see {log.name}")
    row = {"seconds": cpu_seconds() - before, **figures(arm, base, data)}
    done.write_text(json.dumps(row))
    return row


def figures(arm: str, base: Path, data: Path) -> dict[str, object]:
    import torch
    from versus import rows, runner

    import pixelwise
    from pixelwise.datasets.open_dataset import open_dataset
    from pixelwise.datasets.types import DataOptions

    torch.set_num_threads(1)
    if arm == OURS:
        # of a training with a pool, the states of its stages
        states = [*base.glob("state/last.pt"), *base.glob("*/state/last.pt")]
        steps = sum(torch.load(path, weights_only=True)["steps"] for path in states)
        val = f"{max(float(row['val_mean_iou']) for row in rows(base)):.3f}"
        model = pixelwise.load(base)
    else:
        steps = int(base.with_suffix(".log").read_text().split("steps ")[1].split()[0])
        val = ""
        classes = open_dataset(data, DataOptions()).classes
        model = pixelwise.Predictor(runner(Path(f"{base}.pt"), len(classes)), classes)
    found = pixelwise.evaluate(model, data)
    return {"steps": steps, "val": val, "iou": found.scores.mean_iou}


def train_ours(words: list[str]) -> None:
    """`pixelwise train` whose minutes are of processor time."""
    import time
    import types

    from pixelwise.cli.main import script as command
    from pixelwise.training import precision, run, schedule, self_training, session

    for module in (precision, run, schedule, self_training, session):
        module.time = types.SimpleNamespace(
            **{**vars(time), "monotonic": cpu_seconds, "perf_counter": cpu_seconds}
        )
    sys.argv = ["pixelwise", "train", *words]
    command()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        train_ours(sys.argv[2:])
    else:
        main()
