"""A copy of a data set as a better camera would have sized it: every image and mask enlarged.

python benchmarks/enlarged.py DATA OUT FACTOR [--test-every 3]

Images are resized by Lanczos' filter and saved as JPEG, masks by the nearest pixel. It stands for
photographs of several megapixels with masks, which are hard to come by; what it cannot have is
their detail.
"""

import argparse
from pathlib import Path

from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.io.images import read_rgb


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("factor", type=int)
    parser.add_argument("--test-every", type=int, default=1)
    args = parser.parse_args()
    dataset = open_dataset(args.data, DataOptions())
    for split in dataset.splits:
        pairs = dataset.pairs(split)[:: args.test_every if split == "test" else 1]
        images = args.out / "images" / split
        masks = args.out / "masks" / split
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for pair in pairs:
            image, labels = (
                Image.fromarray(part)
                for part in (read_rgb(pair.image), dataset.read_labels(pair.mask))
            )
            size = (image.width * args.factor, image.height * args.factor)
            image.resize(size, Image.Resampling.LANCZOS).save(
                images / f"{pair.image.stem}.jpg", quality=90
            )
            labels.resize(size, Image.Resampling.NEAREST).save(
                masks / f"{pair.image.stem}.png", compress_level=1
            )
        print(split, len(pairs))
    (args.out / "classes.txt").write_text("\n".join(dataset.classes.names) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
