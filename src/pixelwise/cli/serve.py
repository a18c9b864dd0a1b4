"""`pixelwise serve`."""

from typing import Annotated, Any

import typer

from pixelwise.cli.options_from import HARDWARE, OptionSource, options_from
from pixelwise.hardware import INFERENCE_DEVICES, PRECISIONS
from pixelwise.serving.settings import Settings

_LIMITS = ("queue", "deadline", "max_bytes", "max_pixels", "max_side", "formats")
_STYLE = ("style_weights", "style_network")


def _option(name: str, help: str, panel: str | None = None, metavar: str | None = None) -> Any:
    """An option that an environment variable sets as well."""
    return typer.Option(
        envvar=f"PIXELWISE_{name}", help=help, rich_help_panel=panel, metavar=metavar
    )


Models = Annotated[
    list[str],
    typer.Argument(
        envvar="PIXELWISE_MODELS",
        help="Run folders or model files; NAME=MODEL names one.",
    ),
]
Tile = Annotated[
    tuple[int, int],
    _option("TILE", "Height and width of the tiles that larger images are cut in.", metavar="H W"),
]
Runtime = Annotated[
    str,
    _option(
        "RUNTIME",
        "What runs the model; auto measures which is fastest.",
        HARDWARE,
        "auto|torch|onnxruntime|openvino",
    ),
]
Precision = Annotated[
    str | None,
    _option(
        "PRECISION",
        "Precision; chosen with the runtime by default.",
        HARDWARE,
        "|".join(PRECISIONS),
    ),
]
Device = Annotated[
    str,
    _option(
        "DEVICE",
        "Device; auto is the GPU where there is one.",
        HARDWARE,
        "|".join(INFERENCE_DEVICES),
    ),
]


@options_from(
    OptionSource(Settings, ("token", "allow_origins"), variables="PIXELWISE_"),
    OptionSource(Settings, _LIMITS, panel="Limits", variables="PIXELWISE_"),
    OptionSource(Settings, _STYLE, panel="Style transfer", variables="PIXELWISE_"),
)
def serve(
    models: Models,
    host: Annotated[str, _option("HOST", "Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, _option("PORT", "Port to listen on; 0 takes a free one.")] = 8000,
    tile: Tile = (1024, 1024),
    runtime: Runtime = "auto",
    precision: Precision = None,
    device: Device = "auto",
    **settings: Any,
) -> None:
    """Answer HTTP requests with masks, as `predict` makes them."""
    from pixelwise.api import serve as job
    from pixelwise.cli.console import TerminalProgress

    job(
        models,
        host=host,
        port=port,
        progress=TerminalProgress(),
        runtime=runtime,
        device=device,
        precision=precision,
        tile=tile,
        **settings,
    )
