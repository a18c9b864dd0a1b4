"""What a user of LibreYOLO would write with its PP-LiteSeg, of random weights: the rival of
predict_folder.py and train_rivals.py. Its command line only draws masks over photos.

python benchmarks/libreyolo_ppliteseg.py predict PHOTOS OUT CLASSES
python benchmarks/libreyolo_ppliteseg.py train DATA.yaml OUT EPOCHS HEIGHT WIDTH

Photos are read at their own size, rounded up to multiples of 32, not at the 512 x 1024 that the
model has by default. A training prints the seconds of each epoch.
"""

import sys
from pathlib import Path

import numpy as np
from libreyolo import LibrePPLiteSeg
from PIL import Image


def predict(source: Path, out: Path, classes: int) -> None:
    model = LibrePPLiteSeg(size="t50", nb_classes=classes, device="cpu")
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.jpg")):
        with Image.open(path) as image:
            size = (image.height + -image.height % 32, image.width + -image.width % 32)
        labels = model.predict(str(path), imgsz=size).semantic_mask.data
        Image.fromarray(np.asarray(labels).astype(np.uint8)).save(out / f"{path.stem}.png")


def train(data: Path, out: Path, epochs: int, size: tuple[int, int]) -> None:
    model = LibrePPLiteSeg(size="t50", device="cpu")
    model.train(
        str(data),
        epochs=epochs,
        batch=8,
        imgsz=size,
        device="cpu",
        workers=1,
        project=str(out),
        val=False,
        callbacks=tell,
    )


def tell(event: object) -> None:
    if hasattr(event, "epoch_seconds"):
        print(f"epoch_seconds {event.epoch_seconds:.3f}", flush=True)


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] == "predict":
        predict(Path(words[1]), Path(words[2]), int(words[3]))
    else:
        train(Path(words[1]), Path(words[2]), int(words[3]), (int(words[4]), int(words[5])))
