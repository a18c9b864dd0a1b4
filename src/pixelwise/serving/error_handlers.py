"""What a client receives when something is wrong: `{"error": {"code": ..., "message": ...}}`."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pixelwise.errors import ConfigError, ImageError
from pixelwise.serving.job_queue import BusyError

# Logged where the client left before its answer, as nginx does; nobody receives it.
CLIENT_CLOSED_REQUEST = 499


class ErrorDetail(BaseModel):
    """`code` stays the same from version to version; `message` is for people."""

    code: str
    message: str


class ErrorBody(BaseModel):
    """The body of every answer from 400 on."""

    error: ErrorDetail


class ApiError(Exception):
    """An answer with a status from 400 on, a code that programs can rely on, and a message for
    people.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers

    def response(self) -> Response:
        """As JSON of the one shape."""
        body = json.dumps({"error": {"code": self.code, "message": str(self)}})
        return Response(body, self.status, headers=self.headers, media_type="application/json")


def register_error_handlers(app: FastAPI) -> None:
    """Give every error that a client can cause the one shape."""

    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid_parameter(_: Request, error: RequestValidationError) -> Response:
        messages = [f"{entry['loc'][-1]}: {entry['msg']}" for entry in error.errors()]
        return ApiError(422, "invalid_parameter", "; ".join(messages)).response()

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        return ApiError(error.status_code, code, str(error.detail), error.headers).response()

    @app.exception_handler(BusyError)
    async def queue_full(_: Request, error: BusyError) -> Response:
        headers = {"Retry-After": str(error.retry_after)}
        return ApiError(503, "queue_full", str(error), headers).response()

    @app.exception_handler(ClientDisconnect)
    async def client_gone(_: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(ImageError)
    async def unreadable_image(_: Request, error: ImageError) -> Response:
        return ApiError(422, "unreadable_image", str(error)).response()

    @app.exception_handler(ConfigError)
    async def impossible(_: Request, error: ConfigError) -> Response:
        return ApiError(422, "impossible", str(error)).response()
