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
    help="Draw how it works: segmentation, convolutions, augmentation, networks and their scores.",
)

Out = Annotated[
    Path | None,
    typer.Option(help="PNG to write; by default named as the command, by the next free name."),
]


Input = Annotated[str, typer.Option(help="Rows of numbers, as in '0 1; 2 3'.")]
Kernel = Annotated[str, typer.Option(help="Rows of numbers.")]
Stride = Annotated[int, typer.Option(help="Pixels between two positions of the kernel.")]
Cut = Annotated[int, typer.Option(help="Pixels cut from the border of the result.")]
Photo = Annotated[Path, typer.Argument(help="A photo.")]


@app.command(cls=Command)
def kinds(
    photo: Photo,
    out: Out = None,
    model: Annotated[Path, typer.Option(help="Run folder or model that knows the classes.")] = Path(
        "animals"
    ),
    regions: Annotated[int, typer.Option(help="Regions by colour and place.")] = 16,
) -> None:
    """Image, semantic and instance segmentation of a photo, side by side."""
    from pixelwise.cli.console import print_next, results
    from pixelwise.teaching.photo_figures import draw_kinds

    out = _choose_out(out, "kinds.png")
    count, objects = draw_kinds(photo, out, model=model, regions=regions)
    listed = ", ".join(f"{name} x {number}" for name, number in objects.items()) or "none"
    results.print(f"regions: {count}; classes: {', '.join(objects) or 'none'}; objects: {listed}")
    _print_drawn(out)
    print_next((("predict", model, photo, "--also", "objects"), "a table of the objects"))


@app.command(cls=Command)
def convolution(
    out: Out = None,
    input: Input = "0 1 2; 3 4 5; 6 7 8",
    kernel: Kernel = "0 1; 2 3",
    stride: Stride = 1,
    padding: Annotated[int, typer.Option(help="Zeros put around the input.")] = 0,
) -> None:
    """A convolution, window by window."""
    from pixelwise.cli.console import print_next
    from pixelwise.teaching.convolution_figures import draw_convolution

    out = _choose_out(out, "convolution.png")
    _print_numbers(
        draw_convolution(
            _parse_matrix(input), _parse_matrix(kernel), out, stride=stride, padding=padding
        )
    )
    _print_drawn(out)
    print_next((("explain", "matrix"), "the same as one matrix"))


@app.command(cls=Command)
def matrix(
    out: Out = None,
    input: Input = "0 1 2; 3 4 5; 6 7 8",
    kernel: Kernel = "1 2; 3 4",
) -> None:
    """A convolution as a matrix; its transpose is the transposed convolution."""
    from pixelwise.cli.console import print_next, results
    from pixelwise.teaching.convolution_figures import draw_matrix

    out = _choose_out(out, "matrix.png")
    output, back = draw_matrix(_parse_matrix(input), _parse_matrix(kernel), out)
    _print_numbers(output)
    results.print("and back through the transpose:")
    _print_numbers(back)
    _print_drawn(out)
    print_next((("explain", "transposed"), "the transposed one, step by step"))


@app.command(cls=Command)
def transposed(
    out: Out = None,
    input: Input = "0 1; 2 3",
    kernel: Kernel = "0 1; 2 3",
    stride: Stride = 1,
    padding: Cut = 0,
) -> None:
    """A transposed convolution, step by step."""
    from pixelwise.cli.console import print_next
    from pixelwise.teaching.figures import draw_transposed

    out = _choose_out(out, "transposed.png")
    _print_numbers(
        draw_transposed(
            _parse_matrix(input), _parse_matrix(kernel), out, stride=stride, padding=padding
        )
    )
    _print_drawn(out)
    print_next(
        (("explain", "insertion"), "the same with zeros inserted"),
        (("explain", "checkerboard"), "what uneven strides do"),
    )


@app.command(cls=Command)
def insertion(
    out: Out = None,
    input: Input = "0 1; 2 3",
    kernel: Kernel = "0 1; 2 3",
    stride: Stride = 2,
    padding: Cut = 0,
) -> None:
    """A transposed convolution as a convolution of the input with zeros inserted."""
    from pixelwise.cli.console import print_next
    from pixelwise.teaching.convolution_figures import draw_insertion

    out = _choose_out(out, "insertion.png")
    _print_numbers(
        draw_insertion(
            _parse_matrix(input), _parse_matrix(kernel), out, stride=stride, padding=padding
        )
    )
    _print_drawn(out)
    print_next((("explain", "transposed", "--stride", stride), "the same by scattering"))


@app.command(cls=Command)
def bilinear(
    out: Out = None,
    stride: Annotated[int, typer.Option(help="Factor of the enlargement: 2, 3 or 4.")] = 2,
) -> None:
    """Bilinear interpolation as a transposed convolution, and one pixel by the formula."""
    from pixelwise.cli.console import print_next
    from pixelwise.teaching.convolution_figures import draw_bilinear

    out = _choose_out(out, "bilinear.png")
    draw_bilinear(out, stride=stride)
    _print_drawn(out)
    print_next((("explain", "pooling"), "other ways down and up"))


@app.command(cls=Command)
def pooling(
    out: Out = None,
    input: Input = "9 1 2 3; 2 8 4 7; 5 3 1 1; 6 2 1 5",
) -> None:
    """Pooling, unpooling and interpolation of a small map."""
    from pixelwise.cli.console import print_next
    from pixelwise.teaching.convolution_figures import draw_pooling

    out = _choose_out(out, "pooling.png")
    draw_pooling(_parse_matrix(input), out)
    _print_drawn(out)
    print_next((("train", "data", "--decoder", "unet", "--upsample", "bilinear"), "one in use"))


@app.command(cls=Command)
def shapes(
    out: Out = None,
    encoder: Annotated[str, typer.Option(help="A convolutional timm network.")] = "resnet18",
    size: Annotated[tuple[int, int], typer.Option(metavar="H W", help="Of an image.")] = (320, 480),
) -> None:
    """The sizes of an encoder's features, and the pixels that each of them sees."""
    from pixelwise.cli.console import print_next, results
    from pixelwise.teaching.receptive_field import describe_stage, draw_shapes

    out = _choose_out(out, "shapes.png")
    for stage in draw_shapes(encoder, out, size=size):
        results.print(" ".join(describe_stage(stage).split()), markup=False)
    _print_drawn(out)
    print_next((("models", "--find", "resnet*"), "other networks"))


@app.command(cls=Command)
def heat(
    photo: Photo,
    out: Out = None,
    top: Annotated[int, typer.Option(help="How many of ImageNet's classes to draw.")] = 3,
) -> None:
    """Where a photo looks like which class: a classifier made convolutional, sliding over it."""
    from pixelwise.cli.console import print_next, results
    from pixelwise.teaching.photo_figures import draw_heat

    out = _choose_out(out, "heat.png")
    for name, peak in draw_heat(photo, out, top=top).items():
        results.print(f"{name}: up to {peak:.2f}", markup=False)
    _print_drawn(out)
    print_next((("predict", "animals", photo, "--overlay"), "labels for every pixel"))


@app.command(cls=Command)
def checkerboard(
    out: Out = None,
    kernel: Annotated[
        list[int] | None, typer.Option(help="Side of a kernel; repeat it for several.")
    ] = None,
    stride: Annotated[int, typer.Option(help="Stride of every kernel.")] = 2,
) -> None:
    """How evenly the kernels of a transposed convolution cover its output."""
    from pixelwise.cli.console import print_next, results
    from pixelwise.teaching.figures import draw_checkerboard

    out = _choose_out(out, "checkerboard.png")
    # By default, sides that are multiples of the default stride and sides that are not.
    ratios = draw_checkerboard([(side, stride) for side in kernel or [2, 3, 4, 5]], out)
    for (side, _), ratio in ratios.items():
        evenness = "even" if ratio == 1 else f"uneven, {ratio:g} to 1"
        results.print(f"kernel {side}, stride {stride}: {evenness}")
    _print_drawn(out)
    print_next((("explain", "transposed", "--stride", stride), "one, step by step"))


@app.command(cls=Command)
def augmentation(
    data: Images,
    out: Out = None,
    crop: Annotated[
        tuple[int, int] | None, typer.Option(metavar="H W", help="Size of training samples.")
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(metavar="STRENGTH", help="As of train: none (a crop alone) to strong."),
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Each kind of change by itself.")] = False,
    seed: Annotated[int, typer.Option(help="Random seed of the augmentation.")] = 0,
) -> None:
    """An image with its mask, and the samples that a training makes of it."""
    from pixelwise.cli.console import print_next
    from pixelwise.teaching.lessons import explain_augmentation

    out = _choose_out(out, "augmentation.png")
    explain_augmentation(data, out, crop=crop, augment=augment, each=each, seed=seed)
    _print_drawn(out)
    print_next((("train", data, "--preview"), "the samples that a training chooses"))


@app.command(cls=Command)
def matte(
    matte: Annotated[Path, typer.Argument(help="An alpha matte, as NAME_matte.png.")],
    out: Out = None,
) -> None:
    """An alpha matte: its values, and what two thresholds make of its soft edge."""
    from pixelwise.cli.console import print_next, results
    from pixelwise.teaching.matte_figure import draw_matte

    out = _choose_out(out, "matte.png")
    for name, count in draw_matte(matte, out).items():
        results.print(f"{name}: {count}", markup=False)
    _print_drawn(out)
    print_next((("train", "data", "--threshold", 1), "every alpha above 0 as person"))


@app.command(cls=Command)
def scores(
    models: Annotated[list[Path], typer.Argument(help="Runs of fcn32s, fcn16s, fcn8s.")],
    image: Annotated[Path, typer.Option(help="A photo.")],
    out: Out = None,
) -> None:
    """The class scores of FCN models at each of their strides, for one photo."""
    from pixelwise.cli.console import print_next
    from pixelwise.teaching.lessons import explain_scores

    out = _choose_out(out, "scores.png")
    explain_scores(models, image, out)
    _print_drawn(out)
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


def _print_numbers(values: Any) -> None:
    from pixelwise.cli.console import results

    for row in values.tolist():
        results.print(" ".join(f"{value:g}" for value in row), markup=False)


def _print_drawn(out: Path) -> None:
    from pixelwise.cli.console import messages

    messages.print(f"drawn: {out}", markup=False)


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
