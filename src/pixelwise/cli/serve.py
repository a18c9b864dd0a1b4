"""`pixelwise serve`."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer


def serve(
    models: Annotated[
        list[str],
        typer.Argument(
            envvar="PIXELWISE_MODELS",
            help="Run folders or model files; NAME=MODEL gives one a name.",
        ),
    ],
    host: Annotated[
        str, typer.Option(envvar="PIXELWISE_HOST", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PIXELWISE_PORT", help="0 takes a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="PIXELWISE_TOKEN",
            help="What clients must show; demanded where others reach the host.",
        ),
    ] = None,
    queue: Annotated[
        int, typer.Option(envvar="PIXELWISE_QUEUE", help="Requests of a model held at once.")
    ] = 256,
    deadline: Annotated[
        float, typer.Option(envvar="PIXELWISE_DEADLINE", help="Seconds for a request.")
    ] = 60.0,
    max_bytes: Annotated[
        int, typer.Option(envvar="PIXELWISE_MAX_BYTES", help="Of an image file.")
    ] = 20 * 2**20,
    max_pixels: Annotated[
        int, typer.Option(envvar="PIXELWISE_MAX_PIXELS", help="Of a picture.")
    ] = 50_000_000,
    max_side: Annotated[int, typer.Option(envvar="PIXELWISE_MAX_SIDE", help="Pixels.")] = 16_384,
    format: Annotated[
        list[str] | None,
        typer.Option(
            envvar="PIXELWISE_FORMAT", help="JPEG, PNG, WEBP (these if not given), BMP, TIFF, GIF."
        ),
    ] = None,
    style_weights: Annotated[
        Path | None,
        typer.Option(
            envvar="PIXELWISE_STYLE_WEIGHTS", help="For the page's second tab, as in stylize."
        ),
    ] = None,
    style_network: Annotated[
        str,
        typer.Option(
            envvar="PIXELWISE_STYLE_NETWORK",
            help="Whose weights these are: vgg19, vgg16 or timm's.",
        ),
    ] = "vgg19",
    tile: Annotated[
        tuple[int, int],
        typer.Option(
            envvar="PIXELWISE_TILE", metavar="H W", help="Larger images are cut in tiles."
        ),
    ] = (1024, 1024),
    runtime: Annotated[
        str, typer.Option(envvar="PIXELWISE_RUNTIME", help="auto, torch, onnxruntime or openvino.")
    ] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            envvar="PIXELWISE_PRECISION", help="float32 or bfloat16; else chosen with the runtime."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(envvar="PIXELWISE_DEVICE", help="auto, cpu or cuda.")
    ] = "auto",
) -> None:
    """Answer HTTP requests with masks, on the pipeline of `predict`."""
    from pixelwise.cli.console import TerminalProgress
    from pixelwise.inference.load import load
    from pixelwise.serving.run import check_host, load_models
    from pixelwise.serving.run import serve as job
    from pixelwise.serving.settings import Settings

    settings = Settings(token, max_bytes, max_pixels, max_side, queue=queue, deadline=deadline)
    settings = replace(settings, style_weights=style_weights, style_network=style_network)
    if format is not None:
        settings = replace(settings, formats=tuple(format))
    check_host(host, settings)  # before the models are loaded
    progress = TerminalProgress()
    make = partial(
        load, device=device, precision=precision, tile=tile, runtime=runtime, progress=progress
    )
    job(load_models(models, make), settings, host=host, port=port, log=progress.log)
