"""`pixelwise predict`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options import Device, Scale, Tta

IN_PART, REFUSED = 1, 2


def predict(
    model: Annotated[Path, typer.Argument(help="Run folder or model file (.safetensors, .onnx, .xml).")],
    images: Annotated[list[Path], typer.Argument(help="Files, folders, 'quoted/*.jpg', or .txt lists.")],
    out: Annotated[Path, typer.Option(help="Folder for the masks.")],
    overlay: Annotated[bool, typer.Option("--overlay", help="Also write tinted images, with a legend.")] = False,
    confidence: Annotated[bool, typer.Option("--confidence", help="Also write how sure each pixel is.")] = False,
    tile: Annotated[tuple[int, int], typer.Option(metavar="H W", help="Larger images are cut in tiles.")] = (
        1024,
        1024,
    ),
    overlap: Annotated[float, typer.Option(help="Share of a tile that neighbours have in common.")] = 0.125,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="probabilities, logits, areas, polygons or seams; give it once for each."),
    ] = None,
    smallest_area: Annotated[int, typer.Option(metavar="PIXELS", help="Smaller regions join their neighbour.")] = 0,
    tta: Tta = False,
    scale: Scale = None,
    max_memory: Annotated[
        int | None, typer.Option(metavar="MIB", help="Large images: what the sums of logits may take.")
    ] = None,
    runtime: Annotated[str, typer.Option(help="auto, torch, onnxruntime or openvino.")] = "auto",
    precision: Annotated[str, typer.Option(help="float32 or bfloat16; auto runtimes choose it.")] = "float32",
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Make masks anew that are there already.")] = False,
) -> None:
    """Write a mask (palette PNG of class ids) for each image. Masks that are there already are left."""
    from pixelwise.cli.console import TerminalMonitor, messages, results
    from pixelwise.inference.choices import Choices
    from pixelwise.inference.load import load, worth_measuring
    from pixelwise.jobs.predict import Recipe, find_images, predict_files

    monitor = TerminalMonitor()
    choices = Choices(overlay, confidence, tuple(also or ()), tta, tuple(scale or ()), smallest_area)
    runtime = worth_measuring(runtime, find_images(images), model)
    predictor = load(
        model,
        device=device,
        precision=precision,
        tile=tile,
        overlap=overlap,
        runtime=runtime,
        max_memory=None if max_memory is None else max_memory * 2**20,
        monitor=monitor,
    )
    done = predict_files(
        predictor,
        images,
        out,
        choices=choices,
        recipe=Recipe.of(model, overwrite=overwrite, tile=tile, overlap=overlap, **choices.recipe()),
        monitor=monitor,
    )
    there = f", {len(done.skipped)} were there already" if done.skipped else ""
    results.print(f"{len(done.written)} masks in {out}{there}", markup=False)
    if done.failed:
        total = len(done.failed) + len(done.written) + len(done.skipped)
        messages.print(f"pixelwise: {len(done.failed)} of {total} images failed", markup=False)
        raise typer.Exit(IN_PART if done.written or done.skipped else REFUSED)
