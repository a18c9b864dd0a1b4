"""`pixelwise export`."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[Path, typer.Argument(help="Run folder or model file.")],
    out: Annotated[Path, typer.Option(help="ONNX file to write.")],
    images: Annotated[list[Path] | None, typer.Option(help="Images or folders to compare on.")] = None,
) -> None:
    """Write an ONNX file, compared with PyTorch on real images before it is kept."""
    from pixelwise.cli.console import TerminalMonitor, results
    from pixelwise.jobs.export import export as job

    done = job(model, out, images=images or (), monitor=TerminalMonitor())
    results.print(
        f"{done.path}  largest logit gap {done.gap:.1e}, labels agree on {100 * done.agreement:.3f} % of the pixels, "
        f"{done.torch_seconds / done.seconds:.1f} times the speed of PyTorch in float32 on ONNX Runtime",
        markup=False,
    )
