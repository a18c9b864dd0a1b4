"""How much a random split flatters a model of films, beside a split that keeps each film whole.

python benchmarks/film_split.py CAMVID --films Seq05VD 0006R0 --work WORK [--out PAGE]

All images of CamVid are put together; the film is the name up to its first `_`. One training sees
`--train` images drawn from all films; one for each of `--films` sees as many of the other films
alone. Both are scored on the same images: those of that film that the first has not seen. So the
scores differ only by whether other images of the film were learned from. Images are reduced to half
their side, for trainings of a minute or two. A training that is finished in WORK is not run again.
"""

import argparse
import random
import subprocess
import sys
from pathlib import Path

from machine import cpu_seconds, provenance
from PIL import Image

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import ALL, DataSet, Pair


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--films", nargs="+", default=["Seq05VD"])
    parser.add_argument("--train", type=int, default=220, help="training images of each training")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="page to write")
    options = parser.parse_args()
    data = open_dataset(options.data)
    pairs = sorted(data.pairs(ALL), key=lambda pair: pair.name)
    draw = random.Random(options.seed)
    seen = draw.sample(pairs, options.train)
    unseen = [pair for pair in pairs if pair not in seen]
    rows = []
    for film in options.films:
        others = [pair for pair in pairs if film_of(pair) != film]
        scored = [pair for pair in unseen if film_of(pair) == film]
        random_score = train_and_score("random", data, seen, scored, options)
        whole = draw.sample(others, options.train)
        film_score = train_and_score(f"without-{film}", data, whole, scored, options)
        rows.append(
            f"| all but {film} | {len(scored)} images of {film} | {random_score} | {film_score} | "
            f"{float(random_score) - float(film_score):+.3f} |"
        )
        print(rows[-1], flush=True)
    if options.out:
        head = [
            "| films trained on | scored on | random split | film held out | optimism |",
            "|---|---|---|---|---|",
        ]
        command = f"python benchmarks/film_split.py {' '.join(sys.argv[1:])}"
        lines = [
            "# A random split of films beside a split by film\n",
            provenance(command),
            *head,
            *rows,
            "",
        ]
        options.out.write_text("\n".join(lines), encoding="utf-8")


def film_of(pair: Pair) -> str:
    return pair.name.partition("_")[0]


def train_and_score(
    name: str, data: DataSet, train: list[Pair], scored: list[Pair], options: argparse.Namespace
) -> str:
    """The mean IoU on `scored` of a training on `train`, which is run unless it is done."""
    run = options.work / f"{name}-run"
    if not (run / "report.html").exists():
        # the last epoch's weights are scored: few images validate, once
        root = write_copies(options.work / f"{name}-data", data, train, scored[:: len(scored) // 8])
        words = ["train", str(root), "--out", str(run), "--epochs", str(options.epochs)]
        words += ["--set", f"validate_every={options.epochs}"]
        words += ["--crop", "96", "128", "--set", "workers=0", "--set", "predict_scale=1"]
        words += ["--seed", str(options.seed), "--resume"]
        before = cpu_seconds()
        with (options.work / f"{name}.log").open("w") as log:
            subprocess.run(
                [sys.executable, "-m", "pixelwise", *words], stdout=log, stderr=log, check=True
            )
        print(f"{name}: {cpu_seconds() - before:.0f} CPU s", flush=True)
    root = write_copies(options.work / f"{name}-scored-{film_of(scored[0])}", data, train, scored)
    evaluation = pixelwise.evaluate(run, root, split="val")
    return f"{evaluation.scores.mean_iou:.3f}"


def write_copies(root: Path, data: DataSet, train: list[Pair], val: list[Pair]) -> Path:
    """A plain folder of those images and masks at half their side, void as 255."""
    for split, pairs in (("train", train), ("val", val)):
        for part in ("images", "masks"):
            (root / part / split).mkdir(parents=True, exist_ok=True)
        for pair in pairs:
            name = pair.image.stem
            copy = root / "images" / split / f"{name}.png"
            if copy.is_file():
                continue
            labels = Image.fromarray(data.read_labels(pair.mask))
            size = (labels.width // 2, labels.height // 2)
            labels.resize(size, Image.Resampling.NEAREST).save(root / "masks" / split / copy.name)
            Image.open(pair.image).convert("RGB").resize(size, Image.Resampling.BOX).save(copy)
    (root / "classes.txt").write_text("\n".join(data.classes.names) + "\n")
    return root


if __name__ == "__main__":
    main()
