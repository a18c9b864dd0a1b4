"""How soft the edges of cut-outs are: error of alpha.

python benchmarks/cutouts.py RUN PORTRAITS

RUN is a model of two classes, PORTRAITS a folder whose testing/ has photos and their mattes. With
hard edges alpha is the label, with soft ones what `predict --also cutouts` makes of labels and
scores. A table goes to the terminal.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

import pixelwise
from pixelwise.inference.cutouts import soft_alpha


def run_portraits(args: argparse.Namespace) -> None:
    """Mean absolute error of alpha, in all pixels and near the edge of the true matte."""
    model = pixelwise.load(args.run)
    stays = np.arange(256) == 1
    errors = {kind: list[tuple[float, float]]() for kind in ("hard edges", "soft edges")}
    seconds = dict.fromkeys(errors, 0.0)
    mattes = sorted((Path(args.images) / "testing").glob("*_matte.png"))
    for matte in mattes:
        truth = np.asarray(Image.open(matte).convert("L")) / 255
        edge = ndimage.maximum_filter((truth > 0.02) & (truth < 0.98), 9)
        photo = matte.with_name(matte.name.replace("_matte.png", ".jpg"))
        for kind, own in errors.items():
            begin = time.process_time()
            is_hard = kind == "hard edges"
            result = model.predict(photo, scores=None if is_hard else "probabilities")
            alpha = stays[result.labels] if is_hard else soft_alpha(result, stays)
            seconds[kind] += time.process_time() - begin
            off = np.abs(alpha - truth)
            own.append((off.mean(), off[edge].mean()))
    print("| edge | error of alpha | near the edge | processor s a photo |")
    print("|---|---|---|---|")
    for kind, own in errors.items():
        everywhere, near = np.mean(own, axis=0)
        print(f"| {kind} | {everywhere:.4f} | {near:.4f} | {seconds[kind] / len(mattes):.2f} |")


def main() -> None:
    """Measure a model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("images")
    run_portraits(parser.parse_args())


if __name__ == "__main__":
    main()
