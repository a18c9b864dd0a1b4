"""The page for people: an image in, its classes over it. Files in static/, and routes of its own.

Images take a road of their own, /page/..., which reports progress and keeps nothing.
"""

import asyncio
import base64
import gzip
import json
import logging
import math
import mimetypes
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from PIL import Image
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from pixelwise.classes import VOID_COLOUR, quantize_confidence
from pixelwise.errors import ConfigError, PixelwiseError
from pixelwise.inference.layer_predictor import LayerPredictor, LayerResult
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.io.images import Array, encode_image
from pixelwise.serving.error_handlers import ApiError
from pixelwise.serving.examples import find_examples
from pixelwise.serving.job_queue import Job, JobQueue
from pixelwise.serving.layer_responses import encode_layers, quantize_scores
from pixelwise.serving.params import SegmentParams
from pixelwise.serving.responses import describe_notes, encode
from pixelwise.serving.service import Service
from pixelwise.serving.settings import Settings
from pixelwise.serving.upload import body_size_limit, check_header, decode, read_bytes

STATIC = Path(__file__).with_name("static")
# A browser asks each time whether a file is still the same: no mixture of two versions.
REVALIDATE = {"Cache-Control": "no-cache"}
# Larger images are shown smaller, so that a browser repaints them at once; mask and data keep
# their size.
MAX_VIEW_PIXELS = 4_000_000
STYLE_SIDES = range(64, 1025)
STYLE_OFF = (
    "Style transfer is off: start the server with --style-weights FILE (torchvision's VGG-19) "
    "to have it here."
)
Work = Callable[[bytes, Job], dict[str, object]]
_DEFAULTS = SegmentParams.model_validate({})
_log = logging.getLogger(__name__)


class ExampleLink(BaseModel):
    """An image to try with some of the models; its address is relative to the page."""

    title: str
    address: str
    models: list[str]


class PageSettings(BaseModel):
    """What the page's script has to know of the server."""

    models: list[str]
    max_bytes: int
    max_size: str
    formats: list[str]
    has_style: bool
    examples: list[ExampleLink]


class PageFiles(StaticFiles):
    """The files of the page, which a browser may keep as long as the server says they are new."""

    def file_response(self, *args: object, **options: object) -> Response:
        """As StaticFiles answers, with one more header."""
        response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers.update(REVALIDATE)
        return response


def add_page(app: FastAPI, service: Service) -> None:
    """Serve the page at "/" of `app`. What a visitor can cause is shown to them as the error's
    message.
    """
    # Windows may call a script text/plain, which no browser runs beside `nosniff`.
    mimetypes.add_type("text/javascript", ".js")
    app.mount("/static", PageFiles(directory=STATIC))

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index() -> Response:
        return FileResponse(STATIC / "index.html", headers=REVALIDATE)

    _add_settings(app, service)
    _add_streams(app, service)


def _add_settings(app: FastAPI, service: Service) -> None:
    examples = find_examples(service.predictors, own_images=service.settings.token is None)
    settings = PageSettings(
        models=list(service.queues),
        max_bytes=service.settings.max_bytes,
        max_size=service.settings.describe_max_bytes(),
        formats=list(service.settings.formats),
        has_style=service.style is not None,
        examples=[
            ExampleLink(
                title=example.title, address=f"page/examples/{number}", models=example.models
            )
            for number, example in enumerate(examples)
        ],
    )

    @app.get("/page/settings", include_in_schema=False)
    async def page_settings() -> PageSettings:
        return settings

    @app.get("/page/examples/{number}", include_in_schema=False)
    async def example(number: int) -> Response:
        if number not in range(len(examples)):
            raise ApiError(404, "not_found", f"there are {len(examples)} examples, from 0 on")
        return Response(examples[number].jpeg, media_type="image/jpeg")


def _add_streams(app: FastAPI, service: Service) -> None:
    settings = service.settings
    style = service.style

    @app.post("/page/segment", include_in_schema=False)
    async def segment(model: str) -> Response:
        def work(body: bytes, job: Job) -> dict[str, object]:
            check_header(body, settings)
            result = service.segment(model, body, job)
            if isinstance(result, LayerResult):
                return describe_layers(result, service.predictors[model], model)
            return describe_result(result, model)

        return ProgressStream(service.get_queue(model), settings, work)

    @app.post("/page/style", include_in_schema=False)
    async def transfer_style(split: int, side: int) -> Response:
        if style is None:
            raise ConfigError(STYLE_OFF)
        if side not in STYLE_SIDES:
            allowed = f"{STYLE_SIDES[0]} to {STYLE_SIDES[-1]}"
            raise ConfigError(f"side is {side}: allowed is {allowed}")

        def work(body: bytes, job: Job) -> dict[str, object]:
            content = _read_image(body[:split], settings)
            painting = _read_image(body[split:], settings)
            return {"image": encode_data_url(style(content, painting, side, job.report_progress))}

        return ProgressStream(service.style_queue, settings, work)


def _read_image(data: bytes, settings: Settings) -> Array:
    check_header(data, settings)
    return decode(data, settings).rgb


class ProgressStream(Response):
    """Lines of JSON: {"progress": 0 to 1} while `work` goes on in `queue`, then {"answer": ...} or
    {"error": {"message": ...}}.

    The settings' deadline is for the upload, and then for each step: a large image may take as long
    as it gets on.
    """

    def __init__(self, queue: JobQueue, settings: Settings, work: Work) -> None:
        self.queue = queue
        self.settings = settings
        self.work = work
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a place from the first byte of the upload to the last one of the answer, or until
        the visitor leaves.
        """
        request = Request(scope, receive)
        deadline = self.settings.deadline
        with self.queue.acquire(body_size_limit(request, self.settings)) as job:
            try:
                body = await asyncio.wait_for(read_bytes(request, self.settings), deadline)
            except TimeoutError as error:
                message = f"the file was not received within {deadline:g} s"
                raise ApiError(408, "upload_too_slow", message) from error
            lines = self._stream_lines(body, job)
            await StreamingResponse(lines, media_type="application/x-ndjson")(scope, receive, send)

    async def _stream_lines(self, body: bytes, job: Job) -> AsyncIterator[str]:
        deadline = self.settings.deadline
        loop = asyncio.get_running_loop()
        updates = asyncio.Queue[float | None]()  # shares, then None when the work has ended
        job.on_progress = lambda share: loop.call_soon_threadsafe(updates.put_nowait, share)
        result = asyncio.wrap_future(job.start(partial(self._answer, body, job)))
        result.add_done_callback(lambda _: updates.put_nowait(None))
        try:
            while (share := await asyncio.wait_for(updates.get(), deadline)) is not None:
                yield _json_line(progress=share)
            yield await result
        except (PixelwiseError, ApiError) as error:
            yield _error_line(str(error))
        except TimeoutError:
            yield _error_line(
                f"no progress for {deadline:g} s: the server is too busy; try again later"
            )
        except Exception:
            _log.exception("internal error in a request of the page")
            yield _error_line("something went wrong on the server; see its log")
        finally:
            result.cancel()

    def _answer(self, body: bytes, job: Job) -> str:
        # megabytes of JSON: encoded in the worker's thread, not in the event loop
        return _json_line(answer=self.work(body, job))


def _json_line(**entry: object) -> str:
    return json.dumps(entry) + "\n"


def _error_line(message: str) -> str:
    return _json_line(error={"message": message})


def describe_result(result: Result, model: str) -> dict[str, object]:
    """What the page's viewer needs of a result, as JSON can hold it.

    classes: name and colour by id. image: a JPEG of at most MAX_VIEW_PIXELS as data URL; labels and
    confidence (255 = sure) at its size (`view`, height and width), bytes row by row, compressed
    with gzip, in base64. mask: the whole palette PNG in base64. notes: what reading did to the
    image. data: the JSON of /v1/segment.
    """
    step = _view_step(result)
    return {
        **_describe_view(result, step),
        "labels": _pack(result.labels[::step, ::step]),
        "confidence": _pack(quantize_confidence(result.confidence[::step, ::step])),
        "mask": base64.b64encode(encode(result, _DEFAULTS, "mask", model)).decode(),
        "data": encode(result, _DEFAULTS, "json", model).decode(),
    }


def describe_layers(result: LayerResult, model: Predictor, name: str) -> dict[str, object]:
    """As `describe_result`, of classes that overlap: in place of labels and confidence `layers`,
    scores of each class, and `thresholds`, both 0 to 255; in place of `mask` a PNG a class.
    """
    assert isinstance(model, LayerPredictor)
    step = _view_step(result)
    thresholds = [max(1, round(255 * threshold)) for threshold in model.thresholds]
    layers = []
    for scores, layer, threshold in zip(
        quantize_scores(result), result.layers, thresholds, strict=True
    ):
        # so that rounding takes no pixel out of a layer, nor into it
        bounded = np.where(
            layer == 1, np.maximum(scores, threshold), np.minimum(scores, threshold - 1)
        )
        layers.append(_pack(bounded[::step, ::step].astype(np.uint8)))
    masks = [encode_image((layer == 1) * np.uint8(255), "PNG") for layer in result.layers]
    return {
        **_describe_view(result, step),
        "layers": layers,
        "thresholds": thresholds,
        "masks": [base64.b64encode(mask).decode() for mask in masks],
        "data": encode_layers(result, _DEFAULTS, "json", name).decode(),
    }


def _view_step(result: Result | LayerResult) -> int:
    """Every so manieth row and column is shown."""
    height, width = result.rgb.shape[:2]
    step: int = max(1, math.ceil((height * width / MAX_VIEW_PIXELS) ** 0.5))
    return step


def _describe_view(result: Result | LayerResult, step: int) -> dict[str, object]:
    photo = result.rgb
    size = photo.shape[:2]
    view = photo[::step, ::step].shape[:2]
    if step > 1:
        photo = np.asarray(Image.fromarray(photo).resize(view[::-1], Image.Resampling.BOX))
    return {
        "size": size,
        "view": view,
        "notes": describe_notes(result),
        "classes": [
            {"name": name, "colour": colour}
            for name, colour in zip(result.classes, result.palette, strict=True)
        ],
        "void": VOID_COLOUR,
        "image": encode_data_url(photo),
    }


def encode_data_url(rgb: Array) -> str:
    """(H, W, 3) uint8 as a JPEG within an address."""
    return f"data:image/jpeg;base64,{base64.b64encode(encode_image(rgb, 'JPEG')).decode()}"


def _pack(plane: Array) -> str:
    return base64.b64encode(gzip.compress(plane.tobytes(), compresslevel=1)).decode()
