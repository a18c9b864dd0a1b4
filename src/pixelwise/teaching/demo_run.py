"""The main job, seen at once: photographs labelled; then train, evaluate and predict on a
generated data set.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.datasets.sample_photos import sample_photos
from pixelwise.datasets.synthetic import draw_scene, write_shapes
from pixelwise.errors import OutputError
from pixelwise.evaluation.result import Evaluation
from pixelwise.evaluation.scoring import evaluate
from pixelwise.inference.load import load
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.images import write_image
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig
from pixelwise.training.train import train

PHOTO_MODEL = "animals"
CROP = (128, 160)
SCENE_SIZE = (384, 512)
SCENE_SHAPES = 40
# Many images seen twice teach more than a few seen often, in the same time; shapes have no up, and
# are further from photographs than the rates of `train` take it (benchmarks/results/newcomers.md).
TRAIN_IMAGES = 1200
TRAINING = {
    "epochs": 2,
    "crop": CROP,
    "batch": 4,
    "upright": False,
    "learning_rate": 0.0015,
    "encoder_rate": 1.0,
}


@dataclass(frozen=True)
class Demo:
    """The files to look at, and the scores of the model; `photographs` are those that come with
    installed packages.
    """

    photographs: tuple[Path, ...]
    evaluation: Evaluation
    overlay: Path
    report: Path
    run: Path


def demo(out: str | Path, *, progress: Progress | None = None) -> Demo:
    """Label photographs with the bundled model; draw a data set, train, score, and predict a
    larger picture.

    Raises OutputError where `out` exists and is not an empty folder.
    """
    out = Path(out)
    progress = progress or default_progress()
    _check_empty(out)
    photographs = _label_photographs(out / "photographs", progress)
    data = out / "data"
    run = out / "run"
    progress.log(f"drawing a data set of coloured shapes with exact masks in {data}")
    write_shapes(data, train=TRAIN_IMAGES)
    config = TrainConfig.from_flat(**TRAINING)
    train(data, run, config=config, progress=progress)
    # the split that neither the training nor its choice of the best epoch saw
    report = out / "evaluation"
    evaluation = evaluate(run, data, split="test", report=report, progress=progress)
    overlay = _label_scene(run, out, progress)
    return Demo(
        photographs,
        evaluation,
        overlay,
        report / "report.html",
        run,
    )


def _check_empty(out: Path) -> None:
    # the demo would mix with what is in the folder, or write over it
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists; remove it, or choose another --out")


def _label_photographs(out: Path, progress: Progress) -> tuple[Path, ...]:
    """The overlays of the photographs that come with installed packages."""
    photographs = list(sample_photos().values())
    progress.log(
        f"labelling {_count(len(photographs))} with the model {PHOTO_MODEL}, which comes with "
        "pixelwise"
    )
    # the portrait is a close-up, which this model sees better made smaller; see the model's card
    choices = PredictOptions(overlay=True, tta=True, scales=(0.5, 1))
    predict_files(load(PHOTO_MODEL), photographs, out, choices=choices, progress=progress)
    return tuple(out / f"{photograph.stem}_overlay.jpg" for photograph in photographs)


def _count(photographs: int) -> str:
    return "1 photograph" if photographs == 1 else f"{photographs} photographs"


def _label_scene(run: Path, out: Path, progress: Progress) -> Path:
    """The overlay of a drawn picture that is larger than the crop."""
    height, width = SCENE_SIZE
    rgb, _ = draw_scene(np.random.default_rng(1), SCENE_SIZE, SCENE_SHAPES, reach=CROP[0])
    scene = out / "scene.jpg"
    write_image(scene, rgb)
    progress.log(
        f"predicting {scene}, {height} x {width} pixels, larger than the crop {CROP[0]} x {CROP[1]}"
    )
    choices = PredictOptions(overlay=True, confidence=True)
    predict_files(load(run), [scene], out / "masks", choices=choices, progress=progress)
    return out / "masks" / "scene_overlay.jpg"
