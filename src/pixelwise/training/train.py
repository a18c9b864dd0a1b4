"""A folder of images and masks to a trained model in a run folder."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pixelwise.config_fields import list_options
from pixelwise.datasets.types import DataOptions
from pixelwise.progress import Progress
from pixelwise.training.check_options import check_model_options, check_target_options
from pixelwise.training.config import TrainConfig
from pixelwise.training.distributed import is_first
from pixelwise.training.loaders import stop_in_starting_worker
from pixelwise.training.recipes import split_options
from pixelwise.training.run import Run, lock_run_folder, train_worker
from pixelwise.training.self_training import check_one_process, has_pool, train_with_pool


@list_options(TrainConfig, DataOptions)
def train(
    data: str | Path,
    out: str | Path,
    *,
    config: TrainConfig | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Train a model on the folder `data` and write the run folder `out`.

    `options` are fields of DataOptions (how the data is read) and, where no `config` is given, of
    TrainConfig. Raises ConfigError for an unknown one, DataError for data that cannot be used,
    OutputError where `out` exists and `resume` is not set, TrainingError where the loss is no
    number or the first epoch was not finished.
    """
    stop_in_starting_worker()
    run = Path(out)
    config, reading = split_options(config, options)
    check_model_options(config)
    check_target_options(config, reading)
    check_one_process(config, max(config.run.devices, int(os.environ.get("WORLD_SIZE", "1"))))
    return train_run(data, run, config, reading, resume=resume, progress=progress)


def train_run(
    data: str | Path,
    run: Path,
    config: TrainConfig,
    reading: DataOptions,
    *,
    resume: bool,
    progress: Progress | None,
) -> Run:
    """As `train`, by options that are checked already; in one stage, or in several where there is
    a pool of images without masks.
    """
    with_pool = config.data.unlabelled is not None or (resume and has_pool(run))
    work = train_with_pool if with_pool else train_worker
    with lock_run_folder(run, resume) if is_first() else nullcontext():
        return work(data, run, config, reading, resume=resume, progress=progress)
