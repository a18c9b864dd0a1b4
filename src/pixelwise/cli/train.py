"""`pixelwise train`."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from pixelwise.cli.exit_codes import IN_PART
from pixelwise.cli.options_from import OUTPUT, OptionSource, options_from
from pixelwise.cli.run_folders import RUNS, latest_run, reserve_run_folder
from pixelwise.cli.shared_options import (
    DATA,
    OnCluster,
    Workers,
    check_cluster_options,
    suggest_check,
)
from pixelwise.config_fields import own_options
from pixelwise.datasets.options import DataOptions
from pixelwise.errors import ConfigError
from pixelwise.training.config import TrainConfig

if TYPE_CHECKING:
    from pixelwise.training.run import Run

Data = Annotated[
    Path, typer.Argument(help="Folder of images and masks; its format is detected and printed.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Run folder to write; must not exist yet. By default the first free of runs/1, "
        "runs/2 and so on.",
        rich_help_panel=OUTPUT,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Any other training option, as in ema=0.999; `pixelwise help config` lists them.",
        rich_help_panel="Training",
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        metavar="K",
        help="Train K models, each without another K-th of the training and validation images, and "
        "score each image by the model that has not seen it.",
        rich_help_panel="Training",
    ),
]
Preview = Annotated[
    bool,
    typer.Option(
        "--preview",
        help="Do not train: print the plan and draw what the network will see.",
        rich_help_panel=OUTPUT,
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Resume the run in OUT.", rich_help_panel=OUTPUT),
]


@options_from(
    # `unset`: a recipe's defaults go before the fields'.
    OptionSource(TrainConfig, unset=True),
    OptionSource(DataOptions, ("format", "mask_folder", "matte_threshold", "group"), panel=DATA),
    OptionSource(
        DataOptions,
        ("skip_unpaired", "instances", "multilabel", "matte"),
        unset=True,
        panel=DATA,
    ),
    OptionSource(DataOptions, ("merge", "drop", "tree", "object_gap"), unset=True, panel=DATA),
)
def train(
    data: Data,
    out: Out = None,
    set: Set = None,
    folds: Folds = None,
    preview: Preview = False,
    resume: Resume = False,
    cluster: OnCluster = None,
    workers: Workers = None,
    **options: Any,
) -> None:
    """Train a model on a folder of images and masks."""
    from pixelwise.cli.console import messages
    from pixelwise.inference.load import prepare_network
    from pixelwise.overrides import parse_overrides
    from pixelwise.training.distributed import is_first
    from pixelwise.training.recipes import split_options

    check_cluster_options(cluster, workers=workers)
    own = own_options(TrainConfig)
    options |= parse_overrides(set or [], TrainConfig, own=own)
    split_options(None, dict(options))  # before a folder is made
    folds = _choose_folds(folds, out, resume=resume, preview=preview, cluster=cluster)
    if preview:
        _print_preview(data, out or RUNS / "preview", options)
        return
    if resume and out is None:
        _raise_no_run_to_resume()
    with suggest_check(data), nullcontext(out) if out else reserve_run_folder() as path:
        if is_first():
            messages.print(f"run folder: {path}", markup=False)
        if folds is not None:
            _cross_validate(data, path, folds or None, resume, options)
            return
        run = _train(data, path, resume, cluster, workers, options)
    if is_first():  # the other processes of a machine share its terminal
        if cluster is None and not run.stopped:
            prepare_network(run.path)
        _print_result(run, data)


def _choose_folds(
    folds: int | None, out: Path | None, *, resume: bool, preview: bool, cluster: str | None
) -> int | None:
    """The number of folds, 0 for those of a folder that is resumed, None for one training. Raises
    ConfigError for fewer than two, and beside options of one training.
    """
    from pixelwise.datasets.folds import check_fold_count
    from pixelwise.models.checkpoint import FOLDS_FILE

    if folds is None:
        is_begun = resume and out is not None and (out / FOLDS_FILE).is_file()
        return 0 if is_begun else None
    check_fold_count(folds)
    for name, value in (("--preview", preview), ("--cluster", cluster)):
        if value:
            raise ConfigError(f"--folds and {name}: leave out one of them")
    return folds


def _cross_validate(
    data: Path, out: Path, folds: int | None, resume: bool, options: dict[str, Any]
) -> None:
    """Train all folds and print their scores; ends the command where it was stopped."""
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.cli.tables import evaluation_report, fold_table, layer_report
    from pixelwise.evaluation.layer_result import LayerEvaluation
    from pixelwise.training.cross_validation import cross_validate

    result = cross_validate(
        data, out, folds=folds, resume=resume, progress=TerminalProgress(), **options
    )
    if result.evaluation is None:
        print_next((("train", data, "--out", out, "--resume"), "go on with the folds"))
        raise typer.Exit(IN_PART)
    evaluation = result.evaluation
    parts = (
        layer_report(evaluation)
        if isinstance(evaluation, LayerEvaluation)
        else evaluation_report(evaluation)
    )
    for part in parts:
        results.print(part, markup=False)
    results.print(fold_table(result.folds))
    results.print(f"{out / 'report.html'}  scores by class and by fold, pictures", markup=False)
    steps: list[tuple[tuple[object, ...], str]] = [
        (("predict", out, "photo.jpg"), f"label your images with all {len(result.runs)} models")
    ]
    if result.suspects is not None:
        results.print(
            f"{out / 'suspects/suspects.html'}  {result.suspects:,} labels that may be wrong, by "
            "models that have not seen them",
            markup=False,
        )
        steps.append((("label", data, "--queue", out / "suspects/suspects.csv"), "correct labels"))
    print_next(*steps)


def _train(
    data: Path,
    out: Path,
    resume: bool,
    cluster: str | None,
    workers: int | None,
    options: dict[str, Any],
) -> "Run":
    from pixelwise.cli.console import TerminalProgress
    from pixelwise.training import train as job

    progress = TerminalProgress()
    if cluster is None:
        return job.train(data, out, resume=resume, progress=progress, **options)
    from pixelwise.cluster.engine import Cluster
    from pixelwise.cluster.train_job import train_on_cluster

    nodes = Cluster(cluster, workers)
    return train_on_cluster(data, out, cluster=nodes, resume=resume, progress=progress, **options)


def _print_preview(data: Path, out: Path, options: dict[str, Any]) -> None:
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.training.preview import preview as draw_preview

    with suggest_check(data):
        path = draw_preview(data, out, progress=TerminalProgress(), **options)
    results.print(path, markup=False)
    print_next((("train", data), "train, with the same options"))


def _print_result(run: "Run", data: Path) -> None:
    """Print where the model lies and how good it is; ends the command of a stopped training."""
    from pixelwise.cli.console import print_next, results

    lines = [f"{run.path / 'model.safetensors'}  validation mean IoU {run.best.val_mean_iou:.4f}"]
    if run.stopped:
        results.print(*lines, markup=False)
        print_next((("train", data, "--out", run.path, "--resume"), "go on with it"))
        raise typer.Exit(IN_PART)
    lines.append(f"{run.path / 'report.html'}  curves, scores and pictures")
    results.print("\n".join(lines), markup=False)
    print_next(
        (("predict", run.path, "photo.jpg"), "label your images"),
        (("evaluate", run.path, data), "score it"),
        (("serve", run.path), "try it in the browser"),
    )


def _raise_no_run_to_resume() -> NoReturn:
    latest = latest_run()
    advice = f"such as --out {latest}" if latest else "the folder that it wrote"
    raise ConfigError(f"--resume goes on with a run, which --out names: {advice}")
