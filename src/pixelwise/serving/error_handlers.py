"""What a client receives when something is wrong: `{"error": {"code": ..., "message": ...}}`."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import Headers
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
        messages = [_explain_parameter(entry) for entry in error.errors()]
        return ApiError(422, "invalid_parameter", "; ".join(messages)).response()

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        message = _explain_status(request, error)
        return ApiError(error.status_code, code, message, error.headers).response()

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


def _explain_parameter(entry: Mapping[str, Any]) -> str:
    """What is wrong with a parameter, of pydantic's error."""
    name = str(entry["loc"][-1])[:40]
    if entry["type"] == "extra_forbidden":
        return f"{name}: there is no such parameter; GET /openapi.json lists them"
    rule = str(entry["msg"]).replace("Input should be", "must be")
    if entry["type"] == "missing":
        return f"{name}: is missing from the query"
    return f"{name}: is {str(entry['input'])[:40]!r}, and {rule}"


def _explain_status(request: Request, error: HTTPException) -> str:
    """What the framework refused, in our words."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return (
            "there is nothing at this address: POST /v1/segment labels an image, GET /v1/models "
            "lists the models, GET / is a page"
        )
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        return str(error.detail)
    allowed = Headers(error.headers).get("allow", "another method")
    refusal = f"{request.method} is not allowed here: use {allowed}"
    if request.url.path != "/v1/segment":
        return refusal
    return f"{refusal}, with the file in the field `image`; addresses (url=) are not fetched"
