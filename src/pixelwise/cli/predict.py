"""`pixelwise predict`."""

from pathlib import Path
from typing import Annotated

import typer

IN_PART, REFUSED = 1, 2


def predict(
    model: Annotated[Path, typer.Argument(help="Run folder or model file.")],
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders with images in them.")],
    out: Annotated[Path, typer.Option(help="Folder for the masks.")],
    overlay: Annotated[bool, typer.Option("--overlay", help="Also write tinted images, with a legend.")] = False,
    confidence: Annotated[bool, typer.Option("--confidence", help="Also write how sure each pixel is.")] = False,
    tile: Annotated[tuple[int, int], typer.Option(metavar="H W", help="Larger images are cut in tiles.")] = (
        1024,
        1024,
    ),
    overlap: Annotated[float, typer.Option(help="Share of a tile that neighbours have in common.")] = 0.25,
    tta: Annotated[bool, typer.Option("--tta", help="Average with the mirrored image; twice the time.")] = False,
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Write a mask (palette PNG of class ids) for each image."""
    from pixelwise.cli.console import TerminalMonitor, messages, results
    from pixelwise.inference.load import load
    from pixelwise.jobs.predict import predict_files

    predictor = load(model, device=device, precision=precision, tile=tile, overlap=overlap)
    monitor = TerminalMonitor()
    done = predict_files(predictor, images, out, overlay=overlay, confidence=confidence, tta=tta, monitor=monitor)
    results.print(f"{len(done.written)} masks in {out}", markup=False)
    if done.failed:
        messages.print(
            f"pixelwise: {len(done.failed)} of {len(done.failed) + len(done.written)} images failed", markup=False
        )
        raise typer.Exit(IN_PART if done.written else REFUSED)
