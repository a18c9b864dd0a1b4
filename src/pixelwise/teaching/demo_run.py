"""The main job, seen at once: a photograph labelled; then train, evaluate and predict on a
generated data set.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from pixelwise.datasets.synthetic import draw_scene, write_shapes
from pixelwise.errors import OutputError
from pixelwise.evaluation.result import Evaluation
from pixelwise.evaluation.scoring import evaluate
from pixelwise.inference.load import load
from pixelwise.inference.options import PredictOptions
from pixelwise.inference.predict_files import predict_files
from pixelwise.io.images import write_image
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig
from pixelwise.training.run import train

MODEL = "animals"
CROP = (128, 160)
SCENE = (384, 512)
SHAPES = 40
IMAGES = 240
EPOCHS = 10
BATCH = 4


@dataclass(frozen=True)
class Demo:
    """Where to look, and what the model scored; `photograph` where one came with an installed
    package.
    """

    photograph: Path | None
    evaluation: Evaluation
    overlay: Path
    report: Path
    run: Path


def demo(out: str | Path, *, progress: Progress | None = None) -> Demo:
    """Label a photograph with the bundled model; draw a data set, train, score, and predict a
    larger picture.
    """
    out = Path(out)
    progress = progress or Progress()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists; remove it, or choose another --out")
    photograph = _labelled_photograph(out / "photograph", progress)
    data = out / "data"
    run = out / "run"
    progress.log(f"drawing a data set of coloured shapes with exact masks in {data}")
    write_shapes(data, train=IMAGES)
    train(
        data,
        run,
        config=TrainConfig.from_flat(epochs=EPOCHS, crop=CROP, batch=BATCH),
        progress=progress,
    )
    scores = evaluate(run, data, split="test", report=out / "evaluation", progress=progress)
    rgb, _ = draw_scene(np.random.default_rng(1), SCENE, SHAPES, reach=CROP[0])
    write_image(out / "scene.jpg", rgb)
    progress.log(
        f"predicting {out / 'scene.jpg'}, {SCENE[0]} x {SCENE[1]} pixels, larger than the "
        f"crop {CROP[0]} x {CROP[1]}"
    )
    predict_files(
        load(run),
        [out / "scene.jpg"],
        out / "masks",
        choices=PredictOptions(overlay=True, confidence=True),
        progress=progress,
    )
    return Demo(
        photograph,
        scores,
        out / "masks" / "scene_overlay.jpg",
        out / "evaluation" / "report.html",
        run,
    )


def _labelled_photograph(out: Path, progress: Progress) -> Path | None:
    """The overlay of a photograph that comes with Matplotlib, of Grace Hopper (public domain)."""
    photograph = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    if not photograph.is_file():
        return None
    progress.log(f"labelling a photograph with the model {MODEL}, which comes with pixelwise")
    choices = PredictOptions(
        overlay=True, tta=True, scales=(0.5, 1)
    )  # it is a close-up; see the model's card
    predict_files(load(MODEL), [photograph], out, choices=choices, progress=progress)
    return out / "grace_hopper_overlay.jpg"
