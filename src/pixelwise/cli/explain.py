"""`pixelwise explain`: drawings that show how it works."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.flags import Command, Group
from pixelwise.cli.options_from import OptionSource, options_from
from pixelwise.cli.output_names import free_path
from pixelwise.cli.shared_options import DATA, Images
from pixelwise.datasets.options import DataOptions

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Draw how it works: convolutions, augmentation, the scores of an FCN, networks.",
)

Out = Annotated[
    Path | None,
    typer.Option(help="PNG to write; by default named as the command, by the next free name."),
]


@app.command(cls=Command)
def transposed(
    out: Out = None,
    input: Annotated[str, typer.Option(help="Rows of numbers, as in '0 1; 2 3'.")] = "0 1; 2 3",
    kernel: Annotated[str, typer.Option(help="Rows of numbers.")] = "0 1; 2 3",
    stride: Annotated[int, typer.Option(help="Pixels between two positions of the kernel.")] = 1,
    padding: Annotated[int, typer.Option(help="Pixels cut from the border of the result.")] = 0,
) -> None:
    """A transposed convolution, step by step."""
    from pixelwise.cli.console import messages, print_next, results
    from pixelwise.teaching.figures import draw_transposed

    out = _choose_out(out, "transposed.png")
    result = draw_transposed(
        _parse_matrix(input), _parse_matrix(kernel), out, stride=stride, padding=padding
    )
    for row in result.tolist():
        results.print(" ".join(f"{value:g}" for value in row), markup=False)
    messages.print(f"drawn: {out}", markup=False)
    print_next((("explain", "checkerboard"), "what uneven strides do"))


@app.command(cls=Command)
def checkerboard(
    out: Out = None,
    kernel: Annotated[
        list[int] | None, typer.Option(help="Side of a kernel; repeat it for several.")
    ] = None,
    stride: Annotated[int, typer.Option(help="Stride of every kernel.")] = 2,
) -> None:
    """How evenly the kernels of a transposed convolution cover its output."""
    from pixelwise.cli.console import messages, print_next, results
    from pixelwise.teaching.figures import draw_checkerboard

    out = _choose_out(out, "checkerboard.png")
    # By default, sides that are multiples of the default stride and sides that are not.
    ratios = draw_checkerboard([(side, stride) for side in kernel or [2, 3, 4, 5]], out)
    for (side, _), ratio in ratios.items():
        evenness = "even" if ratio == 1 else f"uneven, {ratio:g} to 1"
        results.print(f"kernel {side}, stride {stride}: {evenness}")
    messages.print(f"drawn: {out}", markup=False)
    print_next((("explain", "transposed", "--stride", stride), "one, step by step"))


@app.command(cls=Command)
def augmentation(
    data: Images,
    out: Out = None,
    crop: Annotated[
        tuple[int, int] | None, typer.Option(metavar="H W", help="Size of training samples.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the augmentation.")] = 0,
) -> None:
    """An image with its mask, and the samples that a training makes of it."""
    from pixelwise.cli.console import messages, print_next
    from pixelwise.teaching.lessons import explain_augmentation

    out = _choose_out(out, "augmentation.png")
    explain_augmentation(data, out, crop=crop, seed=seed)
    messages.print(f"drawn: {out}", markup=False)
    print_next((("train", data, "--preview"), "the samples that a training chooses"))


@app.command(cls=Command)
def scores(
    models: Annotated[list[Path], typer.Argument(help="Runs of fcn32s, fcn16s, fcn8s.")],
    image: Annotated[Path, typer.Option(help="A photo.")],
    out: Out = None,
) -> None:
    """The class scores of FCN models at each of their strides, for one photo."""
    from pixelwise.cli.console import messages, print_next
    from pixelwise.teaching.lessons import explain_scores

    out = _choose_out(out, "scores.png")
    explain_scores(models, image, out)
    messages.print(f"drawn: {out}", markup=False)
    print_next((("compare", *models, "--data", "data"), "which of them is better"))


@app.command(cls=Command)
@options_from(OptionSource(DataOptions, ("matte_threshold",), panel=DATA))
def networks(
    data: Images,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; by default the next free name.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Epochs of each network.")] = 5,
    crop: Annotated[
        tuple[int, int] | None, typer.Option(metavar="H W", help="Size of training samples.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Samples in a step.")] = 8,
    seed: Annotated[
        int,
        typer.Option(help="Random seed for the order of samples, augmentation and new weights."),
    ] = 0,
    **options: Any,
) -> None:
    """U-Net and LinkNet as in their papers, trained from scratch and compared."""
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.teaching.lessons import compare_networks, format_table

    out = _choose_out(out, "networks")
    networks = compare_networks(
        data,
        out,
        epochs=epochs,
        crop=crop,
        batch=batch,
        seed=seed,
        progress=TerminalProgress(),
        **options,
    )
    results.print(format_table(networks), markup=False)
    results.print(f"written: {out / 'networks.md'}, {out / 'iou.png'}", markup=False)
    runs = (out / "unet", out / "linknet")
    print_next((("compare", *runs, "--data", data), "is the difference more than chance?"))


def _choose_out(out: Path | None, name: str) -> Path:
    return out or free_path(Path(name))


def _parse_matrix(text: str):  # type: ignore[no-untyped-def]  # torch is imported inside
    import torch

    from pixelwise.errors import ConfigError

    try:
        rows = []
        for row in text.split(";"):
            rows.append([float(value) for value in row.split()])
        return torch.tensor(rows)  # rows of unequal length are a ValueError as well
    except ValueError as error:
        raise ConfigError(
            f"'{text}': needs rows of numbers of equal length, as in '0 1; 2 3'"
        ) from error
