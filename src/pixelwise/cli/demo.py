"""`pixelwise demo`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.errors import unknown_choice_error

_LABEL = "label"
What = Annotated[
    str | None,
    typer.Argument(
        help="Nothing for training and prediction; label for the labelling page.", metavar="[label]"
    ),
]


def demo(
    what: What = None,
    out: Annotated[Path, typer.Option(help="Folder to write; must be new or empty.")] = Path(
        "demo"
    ),
) -> None:
    """Label photographs; train, evaluate and predict on a generated data set, in about three
    minutes.
    """
    from pixelwise.cli.console import TerminalProgress, print_next, results

    if what == _LABEL:
        from pixelwise.labelling.demo import label_demo

        label_demo(out, progress=TerminalProgress())
        return
    if what is not None:
        raise unknown_choice_error("demo", what, (_LABEL,))
    from pixelwise.teaching.demo_run import demo as job

    result = job(out, progress=TerminalProgress())
    scores = result.evaluation.scores
    lines = [
        f"test mean IoU   {scores.mean_iou:.4f} over {scores.images} images",
        f"look at         {result.overlay}",
        f"scores          {result.report}",
        f"training        {result.run / 'report.html'}",
    ]
    lines[:0] = [f"a photograph    {photograph}" for photograph in result.photographs]
    results.print("\n".join(lines), markup=False)
    print_next(
        (("predict", "animals", "photo.jpg", "--overlay"), "label a photo of yours"),
        (("train", "data"), "train on images and masks of yours"),
    )
