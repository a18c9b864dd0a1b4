"""The service: `create_app` puts predictors behind HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

import pixelwise
from pixelwise.inference.predictor import Predictor
from pixelwise.serving.errors import ErrorBody, answer_problems
from pixelwise.serving.idle_cleanup import tidy
from pixelwise.serving.middleware import Guard, Meters
from pixelwise.serving.page import add_page
from pixelwise.serving.responses import Segmentation, Wish
from pixelwise.serving.service import Service, Style
from pixelwise.serving.settings import Settings
from pixelwise.serving.style import Styler

BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {"type": "string", "format": "binary", "description": "An image file."}
                },
            }
        }
    },
}
FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody} for status in (400, 404, 406, 408, 413, 415, 422, 503, 504)
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody} for status in (401, 403, 421)
}
"""Of the guard."""
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Segmentation,
        "description": "As `format` or Accept asks.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/png", "image/jpeg")
        },
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
    settings = settings or Settings()
    meters = Meters()
    if style is None and settings.style_weights:
        style = Styler(settings.style_weights, settings.style_network)
    service = Service(predictors, settings, meters, style)
    lanes = [*service.lanes.values(), service.painting]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for lane in lanes:
                stack.callback(lane.close)
            sweeper = asyncio.create_task(
                tidy(lanes, [predictor.runner for predictor in predictors.values()])
            )
            stack.callback(sweeper.cancel)
            yield

    app = FastAPI(
        title="pixelwise",
        version=pixelwise.__version__,
        lifespan=lifespan,
        responses=REFUSALS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )  # the interactive docs would load scripts from elsewhere
    answer_problems(app)
    _add_routes(app, service)
    add_page(app, service)
    app.add_middleware(Guard, token=settings.token, meters=meters)
    return app


def _add_routes(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/segment",
        response_class=Response,
        responses=ANSWERS | FAULTS,
        openapi_extra={"requestBody": BODY},
    )
    async def segment(request: Request, wish: Annotated[Wish, Query()]) -> Response:
        """Label an image."""
        return await service.answer(request, wish)

    @app.get("/v1/models")
    async def models() -> Models:
        """The models and their classes."""
        found = {name: predictor.classes for name, predictor in service.predictors.items()}
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
        return Response(generate_latest(service.meters.registry), media_type=CONTENT_TYPE_LATEST)
