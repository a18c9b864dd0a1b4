"""The page for people: a picture in, its classes over it. Gradio makes the shell, tabs and theme.

Gradio keeps every value that goes through its events for an hour after the visitor has left, and writes uploads to
disk. So pictures take a road of their own, /page/..., that keeps nothing, and of Gradio's routes only the shell's stay.
"""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import gradio as gr
import matplotlib
import numpy as np
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from pixelwise.data.shapes import draw_scene
from pixelwise.errors import ConfigError, PixelwiseError, unknown
from pixelwise.images import Array, read_rgb
from pixelwise.inference.predictor import Result
from pixelwise.serving.page_answer import answer, data_url
from pixelwise.serving.page_style import Styler
from pixelwise.serving.problems import GONE, ApiError
from pixelwise.serving.settings import Settings
from pixelwise.serving.upload import check_header, decode

Progress = Callable[[float], None]
Segment = Callable[[str, Array, Progress | None], Result]
Style = Callable[[Array, Array, int, Progress], Array]
Work = Callable[[bytes, Progress], dict[str, object]]

AT_ONCE = 16
"""Pictures of visitors in work or waiting for the model; more are asked to come again."""

SIDES = range(64, 1025)
_OFF = "Style transfer is off: start the server with --style-weights FILE (torchvision's VGG-19) to have it here."
_SHELL = {"/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/static/{path:path}", "/assets/{path:path}"}
_FONTS = ["system-ui", "sans-serif"]  # of the visitor's machine: Gradio's own would come from another server
_log = logging.getLogger(__name__)


def mount_page(
    app: FastAPI,
    segment: Segment,
    names: Sequence[str],
    *,
    settings: Settings | None = None,
    style: Style | None = None,
) -> FastAPI:
    """Serve the page at "/" of `app`.

    segment(name, rgb, progress) labels `rgb` (H, W, 3) uint8 with the model `name`, one of `names`; it blocks, is
    called from several threads, and may tell `progress` how far it is, 0 to 1. style: see Styler, which is made where
    the settings name weights; without it the second tab says how to get it. What a visitor can cause is shown to them
    as the error's message.
    """
    settings, turns = settings or Settings(), anyio.CapacityLimiter(AT_ONCE)
    if style is None and settings.style_weights:
        style = Styler(settings.style_weights, settings.style_network)

    def read(data: bytes) -> Array:
        check_header(data, settings)
        return decode(data, settings)

    @app.post("/page/segment", include_in_schema=False)
    async def segmented(request: Request, model: str) -> Response:
        def work(body: bytes, progress: Progress) -> dict[str, object]:
            if model not in names:
                raise unknown("model", model, names)
            return answer(segment(model, read(body), progress), model)

        return await _answered(request, work, turns, settings)

    @app.post("/page/style", include_in_schema=False)
    async def styled(request: Request, split: int, side: int) -> Response:
        def work(body: bytes, progress: Progress) -> dict[str, object]:
            if style is None or side not in SIDES:
                raise ConfigError(_OFF if style is None else f"side is {side}: allowed is {SIDES[0]} to {SIDES[-1]}")
            made = style(read(body[:split]), read(body[split:]), side, progress)
            return {"image": data_url(made)}

        return await _answered(request, work, turns, settings)

    _in_a_loop(partial(_mount, app, names, style is not None, settings.max_bytes))
    return app


def examples() -> list[dict[str, str]]:
    """Pictures to try: drawn shapes and the portrait that comes with Matplotlib, each with a title and a data URL."""
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
    mounted: Any = app.router.routes.pop()  # it would answer all other paths too, and allow other origins
    for route in mounted.app.router.routes:
        if getattr(route, "path", "") in _SHELL:
            route.include_in_schema = False
            app.router.routes.append(route)


def _shell(names: Sequence[str], style: bool, most: int) -> gr.Blocks:
    blocks: gr.Blocks
    with gr.Blocks(title="pixelwise", analytics_enabled=False) as blocks:
        gr.HTML("<h1>pixelwise</h1>")
        with gr.Tab("Segment"):
            _part("page.html", names=list(names), examples=examples(), most=most, megabytes=most >> 20)
        with gr.Tab("Style"):
            _part("page_style.html", off="" if style else _OFF, most=most)
    return blocks


def _part(template: str, **values: object) -> None:
    gr.HTML(html_template=_asset(template), js_on_load=_asset("page.js"), apply_default_css=False, **values)  # type: ignore[arg-type]


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


class _LeftError(Exception):
    """The visitor is gone: raised where the work tells how far it is, to end it."""


async def _answered(request: Request, work: Work, turns: anyio.CapacityLimiter, settings: Settings) -> Response:
    """Lines of JSON: {"progress": 0 to 1} while it works, then {"answer": ...} or {"error": ...}."""
    try:
        if request.headers.get("content-type") != "application/octet-stream":  # other sites' forms cannot send this
            raise ApiError(415, "not_bytes", "send the file's bytes as application/octet-stream")
        if not turns.available_tokens:
            raise ApiError(503, "busy", "the server is busy: wait some seconds and try again", {"Retry-After": "5"})
        async with asyncio.timeout(settings.deadline):
            body = await _body(request, settings.max_bytes)
    except ApiError as error:
        return error.response()
    except TimeoutError:
        return ApiError(408, "upload_too_slow", f"the file did not come within {settings.deadline:g} s").response()
    except ClientDisconnect:
        return Response(status_code=GONE)
    return StreamingResponse(_lines(partial(work, body), turns), media_type="application/x-ndjson")


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise ApiError(413, "too_many_bytes", f"the file has more than the {most} bytes that are allowed")
    return bytes(body)


async def _lines(work: Callable[[Progress], dict[str, object]], turns: anyio.CapacityLimiter) -> AsyncIterator[str]:
    loop, news, left = asyncio.get_running_loop(), asyncio.Queue[dict[str, object] | None](), threading.Event()

    def tell(line: dict[str, object] | None) -> None:
        loop.call_soon_threadsafe(news.put_nowait, line)

    def progress(share: float) -> None:
        if left.is_set():
            raise _LeftError
        tell({"progress": share})

    def run() -> None:
        try:
            tell({"answer": work(progress)})
        except _LeftError:
            pass
        except (PixelwiseError, ApiError) as error:
            tell({"error": {"message": str(error)}})
        except TimeoutError:
            tell({"error": {"message": "this took longer than the server allows: try a smaller picture, or later"}})
        except Exception:
            _log.exception("a picture of the page")
            tell({"error": {"message": "something went wrong on the server; its log says what"}})
        finally:
            tell(None)

    task = asyncio.create_task(anyio.to_thread.run_sync(run, limiter=turns))
    try:
        while (line := await news.get()) is not None:
            yield json.dumps(line) + "\n"
    finally:
        left.set()
        task.cancel()  # where it still waits for its turn
