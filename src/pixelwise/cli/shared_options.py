"""Arguments and options that several commands share."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options_from import HARDWARE, OUTPUT, OptionSource
from pixelwise.datasets.options import DataOptions
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.hardware import INFERENCE_DEVICES, PRECISIONS

DATA = "Data"
CLUSTER = "Cluster"
CARD = "Card"
RUNTIMES = ("auto", "torch", "onnxruntime", "openvino")

# A model is scored on data that is read as for its training.
READ_AS_TRAINED = OptionSource(
    DataOptions,
    (
        "format",
        "mask_folder",
        "seed",
        "group",
        "matte_threshold",
        "matte",
        "skip_unpaired",
        "skip_broken",
        "merge",
        "tree",
        "drop",
    ),
    unset=True,
    panel=DATA,
    notes=" As in the model's training, if not given.",
)

# No model says whether its masks held an id for each object: the labels of others may.
INSTANCES = OptionSource(DataOptions, ("instances",), unset=True, panel=DATA)


def choice_option(choices: tuple[str, ...], help: str, panel: str | None = None) -> object:
    """An option with names to choose from, which are shown and completed; the job checks them."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return typer.Option(
        help=help, metavar="|".join(choices), autocompletion=complete, rich_help_panel=panel
    )


Model = Annotated[
    Path,
    typer.Argument(help="Run folder, file (.safetensors, .onnx, .xml) or bundled model: animals."),
]
OtherModels = Annotated[
    list[Path] | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="One more model of the same classes, whose scores are averaged with MODEL's; repeat "
        "it for each.",
    ),
]
Images = Annotated[Path, typer.Argument(help="Folder of images and masks.")]
Split = Annotated[
    str | None,
    typer.Option(
        help="Split to score: train, val, test or all; by default test, or else val.",
        rich_help_panel=DATA,
    ),
]
Json = Annotated[
    Path | None,
    typer.Option(help="Write all figures to this JSON file.", rich_help_panel=OUTPUT),
]
Report = Annotated[
    Path | None,
    typer.Option(help="Write an HTML page with pictures to this folder.", rich_help_panel=OUTPUT),
]
Device = Annotated[
    str, choice_option(INFERENCE_DEVICES, "Device; auto is the GPU where there is one.", HARDWARE)
]
Precision = Annotated[
    str | None,
    choice_option(PRECISIONS, "Precision; chosen with the runtime by default.", HARDWARE),
]
Runtime = Annotated[
    str,
    choice_option(RUNTIMES, "What runs the model; auto measures which is fastest.", HARDWARE),
]
Tile = Annotated[
    tuple[int, int],
    typer.Option(metavar="H W", help="Height and width of the tiles of larger images."),
]
OnCluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="[ADDRESS]",
        help="Run on a Ray cluster: HOST:PORT, local or auto.",
        rich_help_panel=CLUSTER,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Workers on the cluster; by default one for each core or GPU.",
        rich_help_panel=CLUSTER,
    ),
]

CardScores = Annotated[
    Path | None,
    typer.Option(help="Scores for the card: a file of evaluate --json.", rich_help_panel=CARD),
]
CardLicence = Annotated[
    str, typer.Option(help="Licence of the model, as apache-2.0.", rich_help_panel=CARD)
]
CardDataLicence = Annotated[str, typer.Option(help="Licence of the data.", rich_help_panel=CARD)]


def join_model_arguments(
    model: Path, others: list[Path] | None, rest: Sequence[str]
) -> tuple[list[Path], list[str]]:
    """All models, and what follows them: MODEL may stand behind --model too, and what stands in its
    place is then the first of `rest`. Raises ConfigError where there is no rest.
    """
    from pixelwise.models.checkpoint import is_model

    models = [model]
    if others and is_model(model):
        models += others
    elif others:
        models = others
        rest = [str(model), *rest]
    if not rest:
        raise ConfigError(
            f"only {model} is named: give a model and, behind it, what it is to label or to be "
            "scored on"
        )
    return models, list(rest)


def name_models(models: Sequence[Path]) -> list[object]:
    """The words by which a command names several models."""
    first, *others = models
    return [first, *(word for other in others for word in ("--model", other))]


def check_cluster_options(
    cluster: str | None, models: Sequence[Path] = (), **options: object
) -> None:
    """Raises ConfigError for an option that means nothing without --cluster, and for several models
    with it.
    """
    if cluster is not None and len(models) > 1:
        raise ConfigError("--cluster takes one model; leave it out to average several")
    for name, value in options.items():
        if value and cluster is None:
            raise ConfigError(f"--{name} goes with --cluster; give that too, or leave it out")


@contextmanager
def suggest_check(data: Path | None) -> Iterator[None]:
    """Errors of a data set that is there name the command that lists all that is wrong with it,
    unless they name another one already.
    """
    try:
        yield
    except DataError as error:
        is_said = any(command in str(error) for command in ("pixelwise check", "pixelwise help"))
        if data is None or not data.is_dir() or is_said:
            raise
        command = shlex.join(["pixelwise", "check", str(data)])
        error.args = (f"{error}; `{command}` lists all that is wrong",)
        raise


@contextmanager
def suggest_skip_broken() -> Iterator[None]:
    """Errors of files that --skip-broken leaves out name that option; a label that is no class, an
    error of its own, stays.
    """
    try:
        yield
    except ImageError as error:
        if type(error) is not ImageError:
            raise
        raise ImageError(f"{error}; or leave out such files with --skip-broken") from error
