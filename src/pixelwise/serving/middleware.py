"""Around every request: the token, strict headers, one line of log, the counters, and no traceback
for anybody.
"""

import base64
import binascii
import hmac
import json
import logging
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixelwise.serving.error_handlers import CLIENT_CLOSED_REQUEST, ApiError
from pixelwise.serving.settings import is_loopback

log = logging.getLogger("pixelwise.serving")

PUBLIC_PATHS = ("/healthz", "/readyz")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
# Scripts, styles and requests of this server alone; images may also be made in the page. What the
# camera gives is a stream, which needs no source.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# Chromium takes the first scheme of the line and reads the rest as its parameters, so it asks for a
# password only where Basic comes first and Bearer has a parameter too.
AUTHENTICATE = {"WWW-Authenticate": 'Basic realm="pixelwise", Bearer realm="pixelwise"'}


class Metrics:
    """What /metrics tells of requests, beside the process's own memory and time."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "pixelwise_requests", "Requests answered.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "pixelwise_request_seconds",
            "From request to answer.",
            ("route",),
            registry=self.registry,
        )
        self.pixels = Counter(
            "pixelwise_pixels", "Pixels labelled.", ("model",), registry=self.registry
        )


class RequestMiddleware:
    """ASGI middleware; `token` is demanded of all but PUBLIC_PATHS, as Bearer or as the password of
    Basic (for browsers).

    Where it is None, a request has to name this machine by a name that only this machine uses.
    Pages of `origins` may send requests as pages of this server may.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, metrics: Metrics, origins: Collection[str] = ()
    ) -> None:
        self.app = app
        self.token = token
        self.metrics = metrics
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(raw=message["headers"]), status)
            await send(message)

        try:
            app = self._check_access(scope) or self.app
            await app(scope, receive, send_with_headers)
        except Exception:
            log.exception("internal error")
            if status:  # half an answer is out: the connection has to end
                raise
            error = ApiError(500, "internal", "internal error; see the server's log")
            await error.response()(scope, receive, send_with_headers)
        finally:
            self._record(scope, status, time.perf_counter() - start)

    def _check_access(self, scope: Scope) -> ASGIApp | None:
        """The answer to a request that is refused, else None."""
        if scope["path"] in PUBLIC_PATHS:
            return None
        headers = Headers(scope=scope)
        error = _check_origin(scope["method"], headers, self.origins)
        if error is None and self.token is None:
            error = _check_host(headers)
        elif error is None and self.token is not None:
            error = _check_token(headers, self.token)
        return None if error is None else error.response()

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")  # never what a client made up
        status = status or CLIENT_CLOSED_REQUEST
        self.metrics.requests.labels(route, status).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        fields = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
        }
        log.info("request", extra={"fields": fields})


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Time in UTC, level, logger, message, and the record's `fields`."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _check_origin(method: str, headers: Headers, origins: Collection[str]) -> ApiError | None:
    site = headers.get("sec-fetch-site", "none")
    if method != "POST" or site in ("none", "same-origin") or headers.get("origin") in origins:
        return None
    return ApiError(
        403,
        "other_origin",
        "pages of other origins may not send requests; the server's --allow-origin lets one in",
    )


def _check_host(headers: Headers) -> ApiError | None:
    # else a page whose name is made to lead here (DNS rebinding) could read what only this machine
    # may
    if is_loopback(_parse_host(headers)):
        return None
    return ApiError(
        421,
        "other_host",
        "without a token only this machine is served, as localhost or 127.0.0.1: start it with "
        "--token",
    )


def _parse_host(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _check_token(headers: Headers, token: str) -> ApiError | None:
    if _has_token(headers, token):
        return None
    message = "send the header Authorization: Bearer TOKEN"
    return ApiError(401, "no_token", message, AUTHENTICATE)


def _has_token(headers: Headers, token: str) -> bool:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    secret = credentials.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            secret = base64.b64decode(secret, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    # compared in constant time: how long it takes tells nothing of the token
    return scheme.lower() in ("basic", "bearer") and hmac.compare_digest(secret, token.encode())


def _add_headers(headers: MutableHeaders, status: int) -> None:
    headers.update(SECURITY_HEADERS)
    if status != 304:  # it would replace the policy of the document that the browser has kept
        document = headers.get("content-type", "").startswith("text/html")
        headers["Content-Security-Policy"] = PAGE_POLICY if document else DATA_POLICY
    headers.setdefault("Cache-Control", "no-store")
