"""Options that several commands share: how a data set is read, and what predictions are averaged over."""

from typing import Annotated

import typer

Format = Annotated[str, typer.Option(help="auto, or one of the formats in docs/formats.md.")]
Split = Annotated[str | None, typer.Option(help="train, val or test; test where there is one.")]
Seed = Annotated[int, typer.Option(help="Of the split, as in training.")]
Threshold = Annotated[int, typer.Option(help="Alpha mattes: the value from which a pixel is person.")]
SkipUnpaired = Annotated[bool, typer.Option("--skip-unpaired", help="Leave out images without mask.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Tta = Annotated[bool, typer.Option("--tta", help="Average with the mirrored image; twice the time.")]
Scale = Annotated[
    list[float] | None, typer.Option(metavar="S", help="Average over sizes, 1 being the image's; give several.")
]
