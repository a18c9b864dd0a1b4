"""`pixelwise demo`."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write; must be new or empty.")] = Path(
        "demo"
    ),
) -> None:
    """Label a photograph; train, evaluate and predict on a generated data set, in about three
    minutes.
    """
    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.teaching.demo_run import demo as job

    done = job(out, progress=TerminalProgress())
    lines = [
        f"a photograph    {done.photograph}",
        f"test mean IoU   {done.evaluation.scores.mean_iou:.4f} over "
        f"{done.evaluation.scores.images} images",
        f"look at         {done.overlay}",
        f"scores          {done.report}",
        f"training        {done.run / 'report.html'}",
    ]
    results.print("\n".join(lines if done.photograph else lines[1:]), markup=False)
