"""Options that several commands share: the model, how a data set is read, how it is predicted, and
where.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.errors import ConfigError, ImageError

Model = Annotated[
    Path,
    typer.Argument(help="Run folder, file (.safetensors, .onnx, .xml) or bundled model: animals."),
]
Format = Annotated[str, typer.Option(help="auto, or one of the formats in docs/formats.md.")]
Split = Annotated[str | None, typer.Option(help="train, val or test; test where there is one.")]
Seed = Annotated[int | None, typer.Option(help="Of the split; the training's if not given.")]
Threshold = Annotated[
    int, typer.Option(help="Alpha mattes: the value from which a pixel is person.")
]
TrainedThreshold = Annotated[
    int | None,
    typer.Option(
        "--threshold", help="Alpha mattes: person from there on; the training's if not given."
    ),
]
SkipUnpaired = Annotated[
    bool, typer.Option("--skip-unpaired", help="Leave out images and masks without partner.")
]
SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave out broken files and unlike pairs.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
OnCluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="[ADDRESS]", help="Work on a Ray cluster; see docs/cluster.md."
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="On a cluster: how many; one a core or GPU if not given.")
]
Tta = Annotated[
    bool, typer.Option("--tta", help="Average with the mirrored image; twice the time.")
]
Largest = Annotated[
    list[str] | None,
    typer.Option(metavar="CLASS", help="Keep only the largest region of this class in an image."),
]
Scale = Annotated[
    list[float] | None,
    typer.Option(metavar="S", help="Average over sizes, 1 being the model's own; give several."),
]


def refuse_alone(cluster: str | None, **given: object) -> None:
    """Raises ConfigError for an option that says nothing without --cluster."""
    for name, value in given.items():
        if value and cluster is None:
            raise ConfigError(f"--{name} goes with --cluster; give that too, or leave it out")


@contextmanager
def naming_skip_broken() -> Iterator[None]:
    """Errors of files that --skip-broken leaves out say so; a label that is no class, an error of
    its own, stays.
    """
    try:
        yield
    except ImageError as error:
        if type(error) is not ImageError:
            raise
        raise ImageError(f"{error}; or leave out such files with --skip-broken") from error
