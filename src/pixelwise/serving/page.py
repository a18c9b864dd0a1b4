"""The page for people: a picture in, its classes over it. Gradio makes the shell, tabs and theme.

Gradio keeps every value that goes through its events for an hour after the visitor has left, and
writes uploads to disk. So pictures take a road of their own, /page/..., that keeps nothing, and of
Gradio's routes only the shell's stay.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import matplotlib
import numpy as np
from fastapi import FastAPI
from starlette.responses import Response

from pixelwise.datasets.synthetic import draw_scene
from pixelwise.errors import ConfigError
from pixelwise.io.images import Array, read_rgb
from pixelwise.serving.job_queue import Job
from pixelwise.serving.page_result import answer, data_url
from pixelwise.serving.page_stream import Lines
from pixelwise.serving.service import Service
from pixelwise.serving.settings import Settings
from pixelwise.serving.upload import check_header, decode

SIDES = range(64, 1025)
OFF = (
    "Style transfer is off: start the server with --style-weights FILE (torchvision's VGG-19) "
    "to have it here."
)
_SHELL = {
    "/",
    "/config",
    "/theme.css",
    "/favicon.ico",
    "/manifest.json",
    "/static/{path:path}",
    "/assets/{path:path}",
}
_FONTS = [
    "system-ui",
    "sans-serif",
]  # of the visitor's machine: Gradio's own would come from another server


def mount_page(app: FastAPI, service: Service) -> None:
    """Serve the page at "/" of `app`. What a visitor can cause is shown to them as the error's
    message.
    """
    settings = service.settings
    style = service.style

    @app.post("/page/segment", include_in_schema=False)
    async def segmented(model: str) -> Response:
        def work(body: bytes, job: Job) -> dict[str, object]:
            check_header(body, settings)
            return answer(service.labelled(model, body, job), model)

        return Lines(service.lane(model), settings, work)

    @app.post("/page/style", include_in_schema=False)
    async def styled(split: int, side: int) -> Response:
        if style is None or side not in SIDES:
            raise ConfigError(
                OFF if style is None else f"side is {side}: allowed is {SIDES[0]} to {SIDES[-1]}"
            )

        def work(body: bytes, job: Job) -> dict[str, object]:
            content, painting = (_read(part, settings) for part in (body[:split], body[split:]))
            return {"image": data_url(style(content, painting, side, job.say))}

        return Lines(service.painting, settings, work)

    _in_a_loop(partial(_mount, app, list(service.lanes), style is not None, settings.max_bytes))


def _read(data: bytes, settings: Settings) -> Array:
    check_header(data, settings)
    return decode(data, settings)


def examples() -> list[dict[str, str]]:
    """Pictures to try: drawn shapes and the portrait that comes with Matplotlib, each with a title
    and a data URL.
    """
    rng = np.random.default_rng(4)
    made = {f"Shapes {number}": draw_scene(rng, (360, 480), 7)[0] for number in (1, 2)}
    portrait = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"
    if portrait.is_file():
        made["Portrait of Grace Hopper"] = read_rgb(portrait)
    return [{"title": title, "address": data_url(rgb)} for title, rgb in made.items()]


def _in_a_loop(call: Callable[[], None]) -> None:
    """Where no event loop runs, Gradio opens some that it never closes."""

    async def called() -> None:
        call()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(called())
    else:
        call()


def _mount(app: FastAPI, names: Sequence[str], style: bool, most: int) -> None:
    lifespan = app.router.lifespan_context
    gr.mount_gradio_app(
        app,
        _shell(names, style, most),
        "/",
        theme=gr.themes.Soft(primary_hue="teal", font=_FONTS, font_mono=["monospace"]),
        css=_asset("page.css"),
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
    # without Gradio's queue: unused, it looks for work all the time
    app.router.lifespan_context = lifespan
    mounted: Any = (
        app.router.routes.pop()
    )  # it would answer all other paths too, and allow other origins
    for route in mounted.app.router.routes:
        if getattr(route, "path", "") in _SHELL:
            route.include_in_schema = False
            app.router.routes.append(route)


def _shell(names: Sequence[str], style: bool, most: int) -> gr.Blocks:
    blocks: gr.Blocks
    with gr.Blocks(title="pixelwise", analytics_enabled=False) as blocks:
        gr.HTML("<h1>pixelwise</h1>")
        with gr.Tab("Segment"):
            _part(
                "segment", names=list(names), examples=examples(), most=most, megabytes=most >> 20
            )
        with gr.Tab("Style"):
            _part("style", off="" if style else OFF, most=most)
    return blocks


def _part(name: str, **values: object) -> None:
    script = _asset("page.js") + _asset(f"page_{name}.js")
    html = _asset(f"page_{name}.html")
    gr.HTML(html_template=html, js_on_load=script, apply_default_css=False, **values)  # type: ignore[arg-type]


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
