"""A copy of a data set with some of its classes, all others void, for a training on these alone.

python benchmarks/some_classes.py DATA OUT background cat cow dog horse person sheep --choose 8

Images are linked. Every `--choose`th image of DATA's `val` becomes `val`, by which an epoch is
chosen; all of them are `test`. Where DATA has a `test` of its own, leave `--choose` out.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("classes", nargs="+")
    parser.add_argument("--choose", type=int)
    args = parser.parse_args()
    dataset = open_dataset(args.data, DataOptions())
    values = np.full(256, VOID, np.uint8)
    values[[dataset.classes.names.index(name) for name in args.classes]] = range(len(args.classes))
    splits = {name: dataset.pairs(name) for name in dataset.splits}
    if args.choose:
        splits |= {"val": splits["val"][:: args.choose], "test": splits["val"]}
    for split, pairs in splits.items():
        images = args.out / "images" / split
        masks = args.out / "masks" / split
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for pair in pairs:
            (images / pair.image.name).symlink_to(pair.image.absolute())
            Image.fromarray(values[dataset.read_labels(pair.mask)]).save(
                masks / f"{pair.image.stem}.png"
            )
        print(split, len(pairs))
    (args.out / "classes.txt").write_text("\n".join(args.classes) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
