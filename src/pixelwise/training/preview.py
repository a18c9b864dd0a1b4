"""What a training would do, without training: the plan in words, and samples in a picture."""

from pathlib import Path
from typing import Any

from pixelwise.config_fields import list_options
from pixelwise.datasets.layers import flat_classes, flatten_layers
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.reports.plots import draw_augmentation
from pixelwise.training.check_options import check_model_options, check_target_options
from pixelwise.training.config import TrainConfig
from pixelwise.training.plan import TrainingPlan, make_plan
from pixelwise.training.recipes import split_options

SAMPLES = 12


@list_options(TrainConfig, DataOptions)
def preview(
    data: str | Path,
    out: str | Path,
    *,
    config: TrainConfig | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Path:
    """Log the plan of a training and write `out`/preview.png: SAMPLES samples, image and mask, as
    the network will see them. Returns its path. `options` as for `train`, and raises what it raises
    before its first step.
    """
    progress = progress or default_progress()
    path = Path(out) / "preview.png"
    config, reading = split_options(config, options)
    check_model_options(config)
    check_target_options(config, reading)
    progress.log_section("Data")
    dataset = open_dataset(data, reading, layers=True)
    for note in dataset.notes:
        progress.log(note)
    plan = make_plan(dataset, config, progress=progress, init=False)
    progress.log_section("Training")
    for line in plan.lines():
        progress.log(line)
    _draw_samples(plan, path)
    return path


def _draw_samples(plan: TrainingPlan, path: Path) -> None:
    """Samples from all over the split, as neighbouring images are often alike."""
    samples = plan.samples
    cells = []
    for number in range(SAMPLES):
        epoch = 1 + number // len(samples)
        index = number * max(1, len(samples) // SAMPLES) % len(samples)
        image, labels = samples[epoch, index]
        name = plan.train.pairs[index].name
        mask = flatten_layers(labels.numpy()) if plan.dataset.multilabel else labels.numpy()
        cells.append((name, image.permute(1, 2, 0).numpy(), mask))
    draw_augmentation(cells, path, flat_classes(plan.dataset))
