"""`pixelwise train`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.options import (
    Device,
    Format,
    OnCluster,
    SkipBroken,
    SkipUnpaired,
    Threshold,
    Workers,
    refuse_alone,
)

OWN = (
    "recipe",
    "decoder",
    "encoder",
    "weights",
    "upsample",
    "start",
    "epochs",
    "minutes",
    "crop",
    "batch",
    "seed",
    "device",
    "precision",
    "skip_broken",
    "augment",
    "loss",
    "profile",
)
"""Fields of TrainConfig that have options of their own."""


def train(
    data: Annotated[
        Path, typer.Argument(help="Folder of images and masks; its format is found out and said.")
    ],
    out: Annotated[Path, typer.Option(help="Run folder to write; must not exist yet.")],
    format: Format = "auto",
    decoder: Annotated[
        str | None, typer.Option(help="unet (default), linknet, fcn8s, fcn16s or fcn32s.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="A timm network with features by stride; see `models`.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Of the encoder: auto (default), none or a file.")
    ] = None,
    upsample: Annotated[
        str | None, typer.Option(help="transposed (default), bilinear, subpixel or unpool.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Model, bundled or yours, to begin with; no weights then.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="default, or book: as the course does, with its figures.")
    ] = "default",
    epochs: Annotated[
        int | None, typer.Option(help="How often each image is seen; else chosen, 10 to 60.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="How long to train instead.")] = None,
    crop: Annotated[
        tuple[int, int] | None, typer.Option(metavar="H W", help="Size of training samples.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Samples in a step; 8, on a GPU 16, if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of split, order, augmentation and new weights.")] = 0,
    device: Device = "auto",
    precision: Annotated[
        str | None, typer.Option(help="auto (default: measured), float32 or bfloat16.")
    ] = None,
    threshold: Threshold = 128,
    skip_broken: SkipBroken = False,
    skip_unpaired: SkipUnpaired = False,
    augment: Annotated[
        str | None, typer.Option(help="none, light, medium or strong (default).")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="A sum; 'cross_entropy + dice' if not given.")
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any other field of TrainConfig.")
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only write what the network will see.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Say what the time goes into.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in OUT.")] = False,
    cluster: OnCluster = None,
    workers: Workers = None,
) -> None:
    """Train a model on a folder of images and masks."""
    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.overrides import parse_overrides
    from pixelwise.training import run as job
    from pixelwise.training.config import TrainConfig
    from pixelwise.training.distributed import is_first
    from pixelwise.training.preview import preview as preview_samples
    from pixelwise.training.recipes import make_config

    refuse_alone(cluster, workers=workers)
    config = make_config(
        recipe,
        decoder=decoder,
        encoder=encoder,
        weights=weights,
        upsample=upsample,
        start=start,
        epochs=epochs,
        minutes=minutes,
        crop=crop,
        batch=batch,
        seed=seed,
        device=device,
        precision=precision,
        skip_broken=skip_broken,
        augment=augment,
        loss=loss,
        profile=profile or None,
        **parse_overrides(set or [], TrainConfig, own=OWN),
    )
    reading = {"format": format, "matte_threshold": threshold, "skip_unpaired": skip_unpaired}
    if preview:
        results.print(
            preview_samples(data, out, config=config, progress=TerminalProgress(), **reading),
            markup=False,
        )
        return
    how: dict[str, Any] = {
        "config": config,
        "resume": resume,
        "progress": TerminalProgress(),
        **reading,
    }
    if cluster is None:
        run = job.train(data, out, **how)
    else:
        from pixelwise.cluster.engine import Cluster
        from pixelwise.cluster.train_job import train_on_cluster

        run = train_on_cluster(data, out, cluster=Cluster(cluster, workers), **how)
    if not is_first():
        return
    results.print(
        f"{run.path / 'model.safetensors'}  validation mean IoU {run.best.val_mean_iou:.4f}",
        markup=False,
    )
    if run.stopped:
        raise typer.Exit(1)
