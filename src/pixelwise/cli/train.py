"""`pixelwise train`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.exit_codes import IN_PART
from pixelwise.cli.options_from import OUTPUT, OptionSource, options_from
from pixelwise.cli.shared_options import DATA, OnCluster, Workers, check_cluster_options
from pixelwise.config_fields import own_options
from pixelwise.datasets.options import DataOptions
from pixelwise.training.config import TrainConfig

Data = Annotated[
    Path, typer.Argument(help="Folder of images and masks; its format is detected and printed.")
]
Out = Annotated[
    Path, typer.Option(help="Run folder to write; must not exist yet.", rich_help_panel=OUTPUT)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Any other training option, as in ema=0.999; docs/reference/config.md lists them.",
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
    OptionSource(DataOptions, ("format", "mask_folder", "matte_threshold"), panel=DATA),
    OptionSource(DataOptions, ("skip_unpaired", "instances"), unset=True, panel=DATA),
)
def train(
    data: Data,
    out: Out,
    set: Set = None,
    preview: Preview = False,
    resume: Resume = False,
    cluster: OnCluster = None,
    workers: Workers = None,
    **options: Any,
) -> None:
    """Train a model on a folder of images and masks."""
    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.overrides import parse_overrides
    from pixelwise.training import run as job
    from pixelwise.training.distributed import is_first
    from pixelwise.training.preview import preview as draw_preview

    check_cluster_options(cluster, workers=workers)
    own = own_options(TrainConfig)
    options |= parse_overrides(set or [], TrainConfig, own=own)
    progress = TerminalProgress()
    if preview:
        results.print(draw_preview(data, out, progress=progress, **options), markup=False)
        return
    if cluster is None:
        run = job.train(data, out, resume=resume, progress=progress, **options)
    else:
        from pixelwise.cluster.engine import Cluster
        from pixelwise.cluster.train_job import train_on_cluster

        nodes = Cluster(cluster, workers)
        run = train_on_cluster(
            data, out, cluster=nodes, resume=resume, progress=progress, **options
        )
    if not is_first():
        return  # the other processes of a machine share its terminal
    results.print(
        f"{run.path / 'model.safetensors'}  validation mean IoU {run.best.val_mean_iou:.4f}",
        markup=False,
    )
    if run.stopped:
        raise typer.Exit(IN_PART)
