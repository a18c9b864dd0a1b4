"""`pixelwise stylize`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.exit_codes import IN_PART
from pixelwise.cli.options_from import OUTPUT, OptionSource, options_from
from pixelwise.cli.output_names import free_path
from pixelwise.config_fields import own_options, select_fields
from pixelwise.style_transfer.config import D2L, D2L_SIZE, Setup, StyleConfig

REGIONS = "Regions"
STYLE = "Style"

# `book` is the name of earlier versions, still accepted.
RECIPES = {"default": StyleConfig(), "d2l": D2L, "book": D2L}


Out = Annotated[
    Path | None,
    typer.Option(
        help="Picture to write: .png, .jpg, .webp or .tif. By default PICTURE_styled.png, or the "
        "first free of PICTURE_styled-2.png and so on.",
        rich_help_panel=OUTPUT,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS",
        help="Apply the style only to this class; repeat it for several.",
        rich_help_panel=REGIONS,
    ),
]
But = Annotated[
    list[str] | None,
    typer.Option(
        "--except",
        metavar="CLASS",
        help="Apply the style to all but this class.",
        rich_help_panel=REGIONS,
    ),
]
ClassStyle = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS=IMAGE",
        help="A style of its own for this class.",
        rich_help_panel=REGIONS,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="Run, model file or bundled model that finds the classes.",
        rich_help_panel=REGIONS,
    ),
]
Way = Annotated[
    Path | None,
    typer.Option(
        help="Folder for intermediate pictures, a film and the loss curves.",
        rich_help_panel=OUTPUT,
    ),
]
Every = Annotated[
    int,
    typer.Option(help="Steps between intermediate pictures.", rich_help_panel=OUTPUT),
]
Recipe = Annotated[
    str,
    typer.Option(
        metavar="default|d2l",
        help='Set of defaults; d2l: as in "Dive into Deep Learning", 500 steps at 300 x 450.',
        rich_help_panel=STYLE,
    ),
]
# The name of earlier versions, so that their commands still run.
Book = Annotated[bool, typer.Option("--book", help="The same as --recipe d2l.", hidden=True)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Any other style option; `pixelwise help config` lists them.",
        rich_help_panel=STYLE,
    ),
]


@options_from(
    OptionSource(Setup, unset=True, panel=STYLE),
    OptionSource(StyleConfig, unset=True, panel=STYLE),
)
def stylize(
    content: Annotated[Path, typer.Argument(help="Picture to repaint.")],
    style: Annotated[Path, typer.Argument(help="Picture whose style it gets.")],
    out: Out = None,
    only: Only = None,
    but: But = None,
    class_style: ClassStyle = None,
    model: Model = "",
    way: Way = None,
    every: Every = 25,
    recipe: Recipe = "default",
    book: Book = False,
    set: Set = None,
    **options: Any,
) -> None:
    """Paint a picture in the style of another, whole or only on the regions of some classes."""
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.errors import ConfigError, unknown_choice_error
    from pixelwise.style_transfer import stylize_image as job
    from pixelwise.style_transfer.regions import Region
    from pixelwise.style_transfer.snapshots import Snapshots

    if recipe not in RECIPES:
        raise unknown_choice_error("recipe", recipe, ("default", "d2l"))
    defaults = RECIPES["d2l" if book else recipe]
    setup = select_fields(options, Setup)
    if defaults is D2L:
        setup.setdefault("size", D2L_SIZE)
    config = _make_config(defaults, options, set or [])
    styles = _parse_class_styles(class_style or [])
    if (only or but or styles) and not model:
        raise ConfigError(
            "--only, --except and --class-style need a --model that finds the classes, such "
            "as a run folder"
        )
    out = out or free_path(Path(f"{content.stem}_styled.png"))
    region = Region(model, tuple(only or ()), tuple(but or ()), styles) if model else None
    stylized = job.stylize(
        content,
        style,
        out,
        config=config,
        region=region,
        snapshots=Snapshots(way, every) if way else None,
        progress=TerminalProgress(),
        **setup,
    )
    history = stylized.history
    # Stopped before the first step there is no loss yet.
    loss = f", loss {history[-1].losses.total:.4g}" if history else ""
    results.print(f"{out}  {len(history)} steps{loss}", markup=False)
    if stylized.stopped:
        raise typer.Exit(IN_PART)
    again = ("stylize", content, style)
    print_next(
        ((*again, "--way", "steps"), "with pictures of the way there"),
        ((*again, "--model", "animals", "--except", "background"), "animals and people alone"),
    )


def _make_config(defaults: StyleConfig, options: dict[str, Any], texts: list[str]) -> StyleConfig:
    """The recipe with what options and --set change in it."""
    from dataclasses import replace

    from pixelwise.overrides import parse_overrides

    changes = select_fields(options, StyleConfig)
    # `bfloat16` is set by --precision.
    own = (*own_options(StyleConfig), "bfloat16")
    changes |= parse_overrides(texts, StyleConfig, own=own)
    return replace(defaults, **changes)


def _parse_class_styles(texts: list[str]) -> tuple[tuple[str, Path], ...]:
    """Classes with their own styles. Raises ConfigError for what is not CLASS=IMAGE."""
    from pixelwise.errors import ConfigError

    pairs = [text.partition("=") for text in texts]
    if any(not image for _, _, image in pairs):
        raise ConfigError(
            f"--class-style {' '.join(texts)}: write CLASS=IMAGE, such as sky=waves.jpg"
        )
    return tuple((name, Path(image)) for name, _, image in pairs)
