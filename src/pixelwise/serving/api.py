"""The service: `create_app` puts predictors behind HTTP."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.images import Array
from pixelwise.inference.packages import installed
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.serving.answers import MEDIA, Format, Segmentation, Wish, chosen, encode, refuse_unknown, wanted_format
from pixelwise.serving.guard import Guard, Meters
from pixelwise.serving.lane import BusyError, Job, Lane, Progress, StoppedError
from pixelwise.serving.problems import GONE, ApiError, ErrorBody, answer_problems
from pixelwise.serving.settings import Settings
from pixelwise.serving.tidy import tidy
from pixelwise.serving.upload import check_header, decode, read_upload

BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {"image": {"type": "string", "format": "binary", "description": "An image file."}},
            }
        }
    },
}
FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody} for status in (400, 401, 404, 406, 408, 413, 415, 422, 503, 504)
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Segmentation,
        "description": "As `format` or Accept asks.",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")},
    }
}


class ModelCard(BaseModel):
    """A model that can be asked."""

    name: str
    classes: list[str]
    palette: list[tuple[int, int, int]]


class Models(BaseModel):
    """All models, the default first."""

    models: list[ModelCard]


class Status(BaseModel):
    """`ok`, or `busy` while a queue is full."""

    status: str


class Service:
    """Lanes by model name, and what a request goes through."""

    def __init__(self, predictors: Mapping[str, Predictor], settings: Settings, meters: Meters) -> None:
        if not predictors:
            raise ConfigError("there is no model to serve: give at least one")
        self.lanes = {name: Lane(predictor, places=settings.queue) for name, predictor in predictors.items()}
        self.settings, self.meters = settings, meters
        held = Gauge("pixelwise_held", "Requests that wait or are in work.", ("model",), registry=meters.registry)
        for name, lane in self.lanes.items():
            held.labels(name).set_function(partial(getattr, lane, "held"))

    def segment(self, name: str, rgb: Array, progress: Progress | None = None) -> Result:
        """Label (H, W, 3) uint8 pixels through the model's queue; blocks, and may be called by many threads.

        `progress` is told the share that is done. Raises BusyError where the queue is full and StoppedError after the
        deadline.
        """
        lane = self.lanes[name]
        with lane.place() as job:
            future = job.start(partial(lane.predict, rgb, job.stop, progress))
            try:
                result = future.result(self.settings.deadline)
            except TimeoutError as error:
                raise StoppedError(f"not done within {self.settings.deadline:g} s; try a smaller picture") from error
        self.meters.pixels.labels(name).inc(result.labels.size)
        return result

    async def answer(self, request: Request, wish: Wish) -> Response:
        """The whole of POST /v1/segment."""
        kind = wanted_format(wish, request.headers.get("accept", "*/*"))
        name = next(iter(self.lanes)) if wish.model is None else wish.model
        if name not in self.lanes:
            raise ApiError(404, "unknown_model", f"no model of that name: choose one of {', '.join(self.lanes)}")
        lane = self.lanes[name]
        refuse_unknown(wish, lane.predictor.classes.names)
        try:
            with lane.place() as job:
                body = await self._within_deadline(request, lane, job, partial(self._work, name, wish, kind))
        except BusyError as error:
            raise ApiError(503, "queue_full", str(error), {"Retry-After": str(error.seconds)}) from error
        except ClientDisconnect:
            return Response(status_code=GONE)
        return Response(body, media_type=MEDIA[kind])

    async def _within_deadline(self, request: Request, lane: Lane, job: Job, work: Any) -> bytes:
        try:
            async with asyncio.timeout(self.settings.deadline):
                data = await read_upload(request, self.settings)
                await asyncio.to_thread(check_header, data, self.settings)
                return await _unless_gone(request, job.start(partial(work, lane, job, data)))
        except TimeoutError as error:
            came = job.future is not None
            status, code = (504, "deadline_passed") if came else (408, "upload_too_slow")
            raise ApiError(status, code, f"not done within {self.settings.deadline:g} s") from error

    def _work(self, name: str, wish: Wish, kind: Format, lane: Lane, job: Job, data: bytes) -> bytes:
        """What a thread of the lane does, with nothing larger than the file held before."""
        result = lane.predict(decode(data, self.settings), job.stop)
        self.meters.pixels.labels(name).inc(result.labels.size)
        return encode(chosen(result, wish), wish, kind, name)


async def _unless_gone(request: Request, future: Future[bytes]) -> bytes:
    """The result, or ClientDisconnect as soon as the client has left."""
    # the body is read: all that can still come is the end
    gone: asyncio.Future[Any] = asyncio.ensure_future(request.receive())
    result = asyncio.wrap_future(future)
    try:
        await asyncio.wait({gone, result}, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise ClientDisconnect
        return result.result()
    finally:
        gone.cancel()
        result.cancel()


def create_app(predictors: Mapping[str, Predictor], settings: Settings | None = None) -> FastAPI:
    """An ASGI application that serves `predictors` by name, the first one by default.

    With Gradio installed it has a page to try them too. Raises ConfigError where there is no predictor.
    """
    settings, meters = settings or Settings(), Meters()
    service = Service(predictors, settings, meters)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for lane in service.lanes.values():
                stack.callback(lane.close)
            sweeper = asyncio.create_task(tidy(service.lanes.values()))
            stack.callback(sweeper.cancel)
            yield

    app = FastAPI(
        title="pixelwise",
        version=pixelwise.__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )  # the interactive docs would load scripts from elsewhere
    answer_problems(app)
    _add_routes(app, service, meters)
    if (mount_page := _page()) is not None:
        app = mount_page(app, service.segment, list(service.lanes), settings=settings)
    app.add_middleware(Guard, token=settings.token, meters=meters)
    return app


def _page() -> Callable[..., FastAPI] | None:
    """What mounts the page, where Gradio is installed."""
    try:
        found: Callable[..., FastAPI] = importlib.import_module("pixelwise.serving.page").mount_page
    except ModuleNotFoundError:
        return None
    return found if installed("gradio") else None


def _add_routes(app: FastAPI, service: Service, meters: Meters) -> None:
    @app.post("/v1/segment", response_class=Response, responses=ANSWERS | FAULTS, openapi_extra={"requestBody": BODY})
    async def segment(request: Request, wish: Annotated[Wish, Query()]) -> Response:
        """Label an image."""
        return await service.answer(request, wish)

    @app.get("/v1/models")
    async def models() -> Models:
        """The models and their classes."""
        found = {name: lane.predictor.classes for name, lane in service.lanes.items()}
        cards = [
            ModelCard(name=name, classes=list(known.names), palette=list(known.palette))
            for name, known in found.items()
        ]
        return Models(models=cards)

    @app.get("/healthz")
    async def healthz() -> Status:
        """Whether the process answers."""
        return Status(status="ok")

    @app.get("/readyz", responses={503: {"model": Status}})
    async def readyz(response: Response) -> Status:
        """Whether it takes work: 503 while a model's queue is full."""
        busy = any(lane.held >= lane.places for lane in service.lanes.values())
        response.status_code = 503 if busy else 200
        return Status(status="busy" if busy else "ok")

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)
