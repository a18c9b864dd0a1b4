"""The ASGI application: `create_app` puts predictors behind HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

import pixelwise
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.predictor import Predictor
from pixelwise.serving.api_page import add_api_page
from pixelwise.serving.error_handlers import ErrorBody, register_error_handlers
from pixelwise.serving.idle_cleanup import release_idle_memory
from pixelwise.serving.middleware import Metrics, RequestMiddleware
from pixelwise.serving.page_routes import add_page
from pixelwise.serving.params import SegmentParams
from pixelwise.serving.responses import Segmentation
from pixelwise.serving.service import Service, Style
from pixelwise.serving.settings import Settings
from pixelwise.serving.style import StyleTransfer

IMAGE_FIELD = {"type": "string", "format": "binary", "description": "An image file."}
REQUEST_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {"image": IMAGE_FIELD},
            }
        }
    },
}
Responses = dict[int | str, dict[str, Any]]
# Of the middleware, so of every route.
ACCESS_ERRORS: Responses = {status: {"model": ErrorBody} for status in (401, 403, 421)}
SEGMENT_ERRORS: Responses = {
    status: {"model": ErrorBody} for status in (400, 404, 406, 408, 413, 415, 422, 503, 504)
}
SEGMENT_ANSWERS: Responses = {
    200: {
        "model": Segmentation,
        "description": "As `format` or Accept asks.",
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in ("image/png", "image/jpeg")
        },
    }
}


class ModelCard(BaseModel):
    """A model that can be asked."""

    name: str
    classes: list[str]
    palette: list[tuple[int, int, int]]
    overlapping: bool
    """Whether a pixel may be of several classes."""


class Models(BaseModel):
    """All models, the default first."""

    models: list[ModelCard]


class Status(BaseModel):
    """`ok`, or `busy` while a queue is full."""

    status: str


def _allow_bands(settings: Settings, predictors: Mapping[str, Predictor]) -> Settings:
    """With TIFF files among the formats where a model takes bands, which no other file holds."""
    takes_bands = any(model.rule.channels is not None for model in predictors.values())
    if not takes_bands or "TIFF" in settings.formats:
        return settings
    return replace(settings, formats=(*settings.formats, "TIFF"))


def create_app(
    predictors: Mapping[str, Predictor],
    settings: Settings | None = None,
    *,
    style: Style | None = None,
) -> FastAPI:
    """An ASGI application that serves `predictors` by name, the first one by default.

    It has a page to try them too; `style` paints in its second tab, by default with the weights
    that the settings name, if any. Raises ConfigError where there is no predictor.
    """
    settings = _allow_bands(settings or Settings(), predictors)
    metrics = Metrics()
    if style is None and settings.style_weights:
        style = StyleTransfer(settings.style_weights, settings.style_network)
    service = Service(predictors, settings, metrics, style)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with _background(service):
            yield

    app = FastAPI(
        title="pixelwise",
        version=pixelwise.__version__,
        lifespan=lifespan,
        responses=ACCESS_ERRORS,
        # FastAPI's own would load scripts from elsewhere
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    register_error_handlers(app)
    _add_segment(app, service)
    _add_monitoring(app, service)
    add_page(app, service)
    add_api_page(app)
    app.add_middleware(
        RequestMiddleware, token=settings.token, metrics=metrics, origins=settings.allow_origins
    )
    if settings.allow_origins:  # outermost: pages have to read what is refused as well
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allow_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type"),
            expose_headers=("Retry-After",),
        )
    return app


@asynccontextmanager
async def _background(service: Service) -> AsyncIterator[None]:
    """While the server runs: memory is cleaned up; afterwards the queues are closed."""
    queues = [*service.queues.values(), service.style_queue]
    runners = [runner for predictor in service.predictors.values() for runner in predictor.runners]
    async with AsyncExitStack() as stack:
        for queue in queues:
            stack.callback(queue.close)
        cleanup = asyncio.create_task(release_idle_memory(queues, runners))
        stack.callback(cleanup.cancel)
        yield


def _add_segment(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/segment",
        response_class=Response,
        responses=SEGMENT_ANSWERS | SEGMENT_ERRORS,
        openapi_extra={"requestBody": REQUEST_BODY},
    )
    async def segment(request: Request, params: Annotated[SegmentParams, Query()]) -> Response:
        """Label an image."""
        return await service.handle(request, params)

    @app.get("/v1/models")
    async def models() -> Models:
        """The models and their classes."""
        cards = [
            ModelCard(
                name=name,
                classes=list(predictor.classes.names),
                palette=list(predictor.classes.palette),
                overlapping=isinstance(predictor, LayerPredictor),
            )
            for name, predictor in service.predictors.items()
        ]
        return Models(models=cards)


def _add_monitoring(app: FastAPI, service: Service) -> None:
    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    async def healthz() -> Status:
        """Whether the process answers."""
        return Status(status="ok")

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", responses={503: {"model": Status}})
    async def readyz(response: Response) -> Status:
        """Whether it takes work: 503 while a model's queue is full."""
        busy = any(queue.is_full for queue in service.queues.values())
        response.status_code = 503 if busy else 200
        return Status(status="busy" if busy else "ok")

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)
