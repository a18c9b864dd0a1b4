"""`pixelwise serve`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.options_from import HARDWARE
from pixelwise.hardware import DEVICES, PRECISIONS

LIMITS = "Limits"
STYLE = "Style transfer"


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
Token = Annotated[
    str | None,
    _option("TOKEN", "Token that clients must send; required where others reach the host."),
]
MaxPixels = Annotated[int, _option("MAX_PIXELS", "Largest picture, in pixels.", LIMITS)]
MaxSide = Annotated[int, _option("MAX_SIDE", "Longest side of a picture, in pixels.", LIMITS)]
Format = Annotated[
    list[str] | None,
    _option(
        "FORMAT",
        "Accepted image format; repeat it for several. By default JPEG, PNG and WEBP.",
        LIMITS,
        "JPEG|PNG|WEBP|BMP|TIFF|GIF",
    ),
]
AllowOrigin = Annotated[
    list[str] | None,
    _option(
        "ALLOW_ORIGIN",
        "Origin, such as https://example.org, whose pages may use this server; repeat it.",
        metavar="ORIGIN",
    ),
]
StyleWeights = Annotated[
    Path | None,
    _option("STYLE_WEIGHTS", "Weights for the page's second tab, as in stylize.", STYLE),
]
StyleNetwork = Annotated[
    str,
    _option("STYLE_NETWORK", "Network of these weights: vgg19, vgg16 or timm's.", STYLE),
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
    _option("DEVICE", "Device; auto is the GPU where there is one.", HARDWARE, "|".join(DEVICES)),
]


def serve(
    models: Models,
    host: Annotated[str, _option("HOST", "Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, _option("PORT", "Port to listen on; 0 takes a free one.")] = 8000,
    token: Token = None,
    allow_origin: AllowOrigin = None,
    queue: Annotated[int, _option("QUEUE", "Requests that a model holds at once.", LIMITS)] = 256,
    deadline: Annotated[float, _option("DEADLINE", "Seconds for a request.", LIMITS)] = 60.0,
    max_bytes: Annotated[int, _option("MAX_BYTES", "Largest image file, in bytes.", LIMITS)] = 20
    * 2**20,
    max_pixels: MaxPixels = 50_000_000,
    max_side: MaxSide = 16_384,
    format: Format = None,
    style_weights: StyleWeights = None,
    style_network: StyleNetwork = "vgg19",
    tile: Tile = (1024, 1024),
    runtime: Runtime = "auto",
    precision: Precision = None,
    device: Device = "auto",
) -> None:
    """Answer HTTP requests with masks, as `predict` makes them."""
    from pixelwise.api import serve as job
    from pixelwise.cli.console import TerminalProgress

    settings: dict[str, Any] = {
        "token": token,
        "allow_origins": tuple(allow_origin or ()),
        "queue": queue,
        "deadline": deadline,
        "max_bytes": max_bytes,
        "max_pixels": max_pixels,
        "max_side": max_side,
        "style_weights": style_weights,
        "style_network": style_network,
    }
    if format is not None:  # else the default of Settings
        settings["formats"] = tuple(format)
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
