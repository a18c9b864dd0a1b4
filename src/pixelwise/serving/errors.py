"""What a client is told when something is wrong: `{"error": {"code": ..., "message": ...}}`."""

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

GONE = 499
"""Logged where the client left before its answer, as nginx does; nobody receives it."""


class Fault(BaseModel):
    """`code` stays the same from version to version; `message` is for people."""

    code: str
    message: str


class ErrorBody(BaseModel):
    """The body of every answer from 400 on."""

    error: Fault


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


def answer_problems(app: FastAPI) -> None:
    """Give every error that a client can cause the one shape."""

    @app.exception_handler(ApiError)
    async def problem(_: Request, error: ApiError) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        said = "; ".join(f"{found['loc'][-1]}: {found['msg']}" for found in error.errors())
        return ApiError(422, "invalid_parameter", said).response()

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        return ApiError(error.status_code, code, str(error.detail), error.headers).response()

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> Response:
        return ApiError(
            503, "queue_full", str(error), {"Retry-After": str(error.seconds)}
        ).response()

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=GONE)

    @app.exception_handler(ImageError)
    async def unreadable(_: Request, error: ImageError) -> Response:
        return ApiError(422, "unreadable_image", str(error)).response()

    @app.exception_handler(ConfigError)
    async def impossible(_: Request, error: ConfigError) -> Response:
        return ApiError(422, "impossible", str(error)).response()
