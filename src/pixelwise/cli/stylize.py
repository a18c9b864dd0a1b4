"""`pixelwise stylize`."""

from pathlib import Path
from typing import Annotated, Any

import typer


def stylize(
    content: Annotated[Path, typer.Argument(help="The picture to paint anew.")],
    style: Annotated[Path, typer.Argument(help="The picture whose style it gets.")],
    out: Annotated[Path, typer.Option(help="Picture to write: .png, .jpg, .webp or .tif.")],
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="H W",
            help="What the result fits into; 600 600, by the book 300 450, if not given.",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps in all; 200, by the book 500, if not given.")
    ] = None,
    precision: Annotated[str, typer.Option(help="auto (measured), float32 or bfloat16.")] = "auto",
    network: Annotated[str, typer.Option(help="vgg19, vgg16 or a timm network.")] = "vgg19",
    weights: Annotated[str, typer.Option(help="Of the network: auto or a file.")] = "auto",
    only: Annotated[
        list[str] | None, typer.Option(metavar="CLASS", help="Style on this class alone.")
    ] = None,
    but: Annotated[
        list[str] | None, typer.Option("--except", metavar="CLASS", help="Style all but this.")
    ] = None,
    class_style: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=IMAGE", help="The style of this class instead."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="What finds the classes: a run, model file or bundled model.")
    ] = "",
    tile: Annotated[
        int | None, typer.Option(help="Pixels a side that the network sees at once.")
    ] = None,
    way: Annotated[
        Path | None, typer.Option(help="Folder for pictures of the way, a film and curves.")
    ] = None,
    every: Annotated[int, typer.Option(help="Steps between pictures of the way.")] = 25,
    book: Annotated[
        bool, typer.Option("--d2l", "--book", help="The course's settings: 500 steps, its weights.")
    ] = False,
    set: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any other field of StyleConfig.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of a start from noise.")] = 0,
) -> None:
    """Paint a picture in the style of another, whole or on the regions of some classes."""
    from dataclasses import replace

    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.errors import ConfigError
    from pixelwise.overrides import parse_overrides
    from pixelwise.style_transfer import stylize_image as job
    from pixelwise.style_transfer.config import D2L, D2L_SIZE, StyleConfig
    from pixelwise.style_transfer.regions import Region
    from pixelwise.style_transfer.snapshots import Snapshots

    options = {"seed": seed, "tile": tile, "steps": steps}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    given |= parse_overrides(set or [], StyleConfig, own=[*options, "bfloat16"])
    config = replace(D2L if book else StyleConfig(), **given)
    own = _styles(class_style or [])
    if (only or but or own) and not model:
        raise ConfigError(
            "--only, --except and --class-style need a --model that finds the classes, such "
            "as a run folder"
        )
    region = Region(model, tuple(only or ()), tuple(but or ()), own) if model else None
    done = job.stylize(
        content,
        style,
        out,
        size=size or (D2L_SIZE if book else job.Setup.size),
        network=network,
        weights=weights,
        precision=precision,
        config=config,
        region=region,
        snapshots=Snapshots(way, every) if way else None,
        progress=TerminalProgress(),
    )
    loss = f", loss {done.history[-1].losses.total:.4g}" if done.history else ""
    results.print(f"{out}  {len(done.history)} steps{loss}", markup=False)
    if done.stopped:
        raise typer.Exit(1)


def _styles(given: list[str]) -> tuple[tuple[str, Path], ...]:
    """Classes with their own styles. Raises ConfigError for what is not CLASS=IMAGE."""
    from pixelwise.errors import ConfigError

    pairs = [text.partition("=") for text in given]
    if any(not image for _, _, image in pairs):
        raise ConfigError(
            f"--class-style {' '.join(given)}: write CLASS=IMAGE, such as sky=waves.jpg"
        )
    return tuple((name, Path(image)) for name, _, image in pairs)
