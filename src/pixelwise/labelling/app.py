"""The ASGI application of the labelling page: a desk behind HTTP."""

import gzip
import json
import mimetypes
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from pixelwise.errors import DataError, OutputError
from pixelwise.labelling.desk import Desk
from pixelwise.labelling.rasterise import Box
from pixelwise.serving.error_handlers import ApiError, register_error_handlers
from pixelwise.serving.middleware import Metrics, RequestMiddleware
from pixelwise.serving.page_routes import REVALIDATE, STATIC, PageFiles
from pixelwise.serving.settings import Settings

# A stroke of as many points as are allowed is some 400 kB.
MAX_BODY = 2 * 2**20

Act = Callable[[], dict[str, Any]]


class Window(BaseModel):
    """A window of a layer at a level of the pyramid; `version` is what the answer is to know of."""

    level: int = Field(ge=0, le=16)
    top: int = Field(ge=0)
    left: int = Field(ge=0)
    height: int = Field(gt=0)
    width: int = Field(gt=0)
    version: int = 0

    @property
    def box(self) -> Box:
        """The rows and columns."""
        return Box(self.top, self.left, self.height, self.width)


def create_label_app(desk: Desk, settings: Settings | None = None) -> FastAPI:
    """An ASGI application with the page of `desk` at "/". Of the settings the token and the origins
    count.
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(desk.close)

    app = FastAPI(
        title="pixelwise label", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    register_error_handlers(app)
    _add_error_handlers(app)
    _add_page(app)
    _add_photos(app, desk)
    _add_acts(app, desk)
    app.add_middleware(
        RequestMiddleware, token=settings.token, metrics=Metrics(), origins=settings.allow_origins
    )
    return app


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(DataError)
    async def impossible(_: Request, error: DataError) -> Response:
        return ApiError(422, "impossible", str(error)).response()

    @app.exception_handler(OutputError)
    async def not_written(_: Request, error: OutputError) -> Response:
        return ApiError(507, "not_written", str(error)).response()


def _add_page(app: FastAPI) -> None:
    # Windows may call a script text/plain, which no browser runs beside `nosniff`.
    mimetypes.add_type("text/javascript", ".js")
    app.mount("/static", PageFiles(directory=STATIC))

    @app.api_route("/", methods=["GET", "HEAD"])
    async def index() -> Response:
        return FileResponse(STATIC / "label/label.html", headers=REVALIDATE)


def _add_photos(app: FastAPI, desk: Desk) -> None:
    @app.get("/label/state")
    def state(since: int = -1) -> dict[str, Any]:
        return desk.state(since)

    @app.get("/label/next")
    def next_photo(order: str = "suggested", after: int = -1) -> dict[str, Any]:
        return desk.next_photo(order, after)

    @app.get("/label/photos/{number}")
    def photo(number: int) -> dict[str, Any]:
        return desk.open_photo(number)

    @app.get("/label/photos/{number}/tiles/{level}/{row}/{column}")
    def tile(number: int, level: int, row: int, column: int) -> Response:
        # a photo may change on the disk, so a browser may keep its tiles for a while only
        headers = {"Cache-Control": "private, max-age=600"}
        return Response(desk.tile(number, level, row, column), 200, headers, "image/jpeg")

    @app.get("/label/photos/{number}/labels")
    def labels(number: int, window: Annotated[Window, Query()]) -> Response:
        return _planes(desk.label_window(number, window.level, window.box))

    @app.get("/label/photos/{number}/prediction")
    def prediction(number: int, window: Annotated[Window, Query()]) -> Response:
        planes = desk.prediction_window(number, window.level, window.box, window.version)
        return Response(status_code=204) if planes is None else _planes(planes)


def _add_acts(app: FastAPI, desk: Desk) -> None:
    async def act(request: Request, perform: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        body = await _read_json(request)
        if body.get("page") != desk.page:
            raise ApiError(
                409,
                "other_page",
                "this page is of another version of the program, or of other photos: load it "
                "again; what was painted is kept, and sent then",
            )
        return await run_in_threadpool(perform, body)

    @app.post("/label/photos/{number}/strokes")
    async def stroke(number: int, request: Request) -> Any:
        return await act(request, lambda body: desk.stroke(number, body))

    @app.post("/label/photos/{number}/undo")
    async def undo(number: int, request: Request) -> Any:
        return await act(request, lambda body: desk.undo(number, body))

    @app.post("/label/photos/{number}/redo")
    async def redo(number: int, request: Request) -> Any:
        return await act(request, lambda body: desk.redo(number, body))

    @app.post("/label/classes")
    async def classes(request: Request) -> Any:
        return await act(request, desk.change_classes)

    @app.post("/label/training")
    async def training(request: Request) -> Any:
        return await act(request, desk.set_training)


async def _read_json(request: Request) -> dict[str, Any]:
    """The object in a body. Raises ApiError for one above MAX_BODY and for what is no object."""
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise ApiError(
                413, "too_many_bytes", f"the request has more than {MAX_BODY} bytes: draw in parts"
            )
        chunks.append(chunk)
    try:
        body = json.loads(b"".join(chunks))
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", "the request is no JSON: load the page again") from error
    if not isinstance(body, dict):
        raise ApiError(400, "bad_json", "the request is no JSON object: load the page again")
    return body


def _planes(planes: Any) -> Response:
    """uint8 planes, row by row, compressed on the way; their size is that of the window."""
    data = gzip.compress(np.ascontiguousarray(planes).tobytes(), compresslevel=1)
    return Response(data, headers={"Content-Encoding": "gzip"}, media_type="application/x-labels")
