"""`pixelwise export`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options import Model


def export(
    model: Model,
    out: Annotated[
        Path,
        typer.Option(
            help="File to write: .onnx, .xml for OpenVINO, or .safetensors in half the size."
        ),
    ],
    images: Annotated[
        list[Path] | None, typer.Option(help="Images or folders to compare on.")
    ] = None,
    int8: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA", help="8-bit integers, calibrated and scored on this labelled data."
        ),
    ] = None,
) -> None:
    """Write an ONNX, OpenVINO or smaller file, compared with PyTorch on real images before it is
    kept.
    """
    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.export.exporter import export as job
    from pixelwise.export.int8 import MAX_IOU_LOSS, export_int8

    if int8 is not None:
        small = export_int8(model, out, int8, progress=TerminalProgress())
        before, after = small.mean_iou
        slow, fast = small.seconds
        results.print(
            f"{small.path}  {small.part} in int8: mean IoU {after:.4f}, {before:.4f} in "
            f"float32 on {small.images} "
            f"validation images ({MAX_IOU_LOSS} may be lost), {slow / fast:.1f} times the "
            "speed of float32 on OpenVINO",
            markup=False,
        )
        return
    done = job(model, out, images=images or (), progress=TerminalProgress())
    results.print(
        f"{done.path}  largest logit gap {done.gap:.1e}, labels agree on "
        f"{100 * done.agreement:.3f} % of the pixels, "
        f"{done.torch_seconds / done.seconds:.1f} times the speed of PyTorch in float32",
        markup=False,
    )
