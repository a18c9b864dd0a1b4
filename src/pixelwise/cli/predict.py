"""`pixelwise predict`."""

from typing import Annotated, Any

import typer

from pixelwise.cli.options import (
    Device,
    Largest,
    Model,
    OnCluster,
    Scale,
    Tta,
    Workers,
    refuse_alone,
)

IN_PART = 1
REFUSED = 2


def predict(
    model: Model,
    images: Annotated[
        list[str], typer.Argument(help="Files, folders, 'quoted/*.jpg', .txt lists; s3:// etc.")
    ],
    out: Annotated[str, typer.Option(help="Folder or URI for the masks.")],
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write tinted images, with a legend.")
    ] = False,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Also write how sure each pixel is.")
    ] = False,
    tile: Annotated[
        tuple[int, int], typer.Option(metavar="H W", help="Larger images go in tiles.")
    ] = (1024, 1024),
    overlap: Annotated[
        float, typer.Option(help="Share of a tile that neighbours have in common.")
    ] = 0.0625,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="probabilities, logits, areas, polygons or seams; give it once for each.",
        ),
    ] = None,
    smallest_area: Annotated[
        int, typer.Option(metavar="PIXELS", help="Join smaller regions (extra raster).")
    ] = 0,
    largest: Largest = None,
    tta: Tta = False,
    scale: Scale = None,
    max_memory: Annotated[
        int | None,
        typer.Option(metavar="MIB", help="Large images: what the sums of logits may take; 480."),
    ] = None,
    runtime: Annotated[str, typer.Option(help="auto, torch, onnxruntime or openvino.")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="float32 or bfloat16; else chosen with the runtime.")
    ] = None,
    device: Device = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace masks that already exist.")
    ] = False,
    cluster: OnCluster = None,
    workers: Workers = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="On a cluster: only say what it would take.")
    ] = False,
) -> None:
    """Write a mask (palette PNG of class ids) for each image. Masks that already exist are
    skipped.
    """
    from pixelwise.cli.console import TerminalProgress
    from pixelwise.inference.load import choose_runtime, load
    from pixelwise.inference.options import PredictOptions
    from pixelwise.inference.outputs import Recipe
    from pixelwise.inference.predict_files import predict_files
    from pixelwise.inference.sources import find_sources

    refuse_alone(cluster, estimate=estimate, workers=workers)
    progress = TerminalProgress()
    choices = PredictOptions(
        overlay,
        confidence,
        tuple(also or ()),
        tta,
        tuple(scale or ()),
        smallest_area,
        tuple(largest or ()),
    )
    loading: dict[str, Any] = {
        "device": device,
        "precision": precision,
        "tile": tile,
        "overlap": overlap,
        "max_memory": None if max_memory is None else max_memory * 2**20,
    }
    if cluster is not None:
        from pixelwise.cluster.engine import Cluster
        from pixelwise.cluster.predict_job import JobSpec, predict_on_cluster

        spec = JobSpec(
            model, images, out, choices, {**loading, "runtime": runtime}, overwrite, estimate
        )
        result = predict_on_cluster(spec, Cluster(cluster, workers), progress=progress)
        if not estimate:
            _report(len(result.written), len(result.skipped), len(result.failed), out)
        return
    sources = find_sources(images)
    runtime = choose_runtime(runtime, sources, model, precision)
    predictor = load(model, runtime=runtime, progress=progress, **loading)
    recipe = Recipe.of(model, overwrite=overwrite, tile=tile, overlap=overlap, **choices.recipe())
    result = predict_files(
        predictor, sources, out, choices=choices, recipe=recipe, progress=progress
    )
    _report(len(result.written), len(result.skipped), len(result.failed), out)


def _report(written: int, skipped: int, failed: int, out: str) -> None:
    """What was done; ends the command where some images failed."""
    from pixelwise.cli.console import messages, results

    there = f", {skipped} were there already" if skipped else ""
    results.print(f"{written} masks in {out}{there}", markup=False)
    if failed:
        messages.print(
            f"pixelwise: {failed} of {failed + written + skipped} images failed", markup=False
        )
        raise typer.Exit(IN_PART if written or skipped else REFUSED)
