"""Around every request: the token, strict headers, one line of log, the counters, and no traceback
for anybody.
"""

import base64
import binascii
import hmac
import json
import logging
import time
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixelwise.serving.errors import GONE, ApiError
from pixelwise.serving.settings import is_own

log = logging.getLogger("pixelwise.serving")

OPEN = ("/healthz", "/readyz")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'"
# Scripts, styles and requests of this server alone; pictures may also be made in the page. What the
# camera gives is a stream, which needs no source.
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Meters:
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


class Guard:
    """ASGI middleware; `token` is demanded of all but OPEN, as Bearer or as the password of Basic
    (for browsers).

    Where it is None, a request has to name this machine by a name that only this machine uses.
    """

    def __init__(self, app: ASGIApp, token: str | None, meters: Meters) -> None:
        self.app = app
        self.token = token
        self.meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def headed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(raw=message["headers"]), status)
            await send(message)

        try:
            await self._checked(scope, receive, headed)
        except Exception:
            log.exception("a fault of the server")
            if status:  # half an answer is out: the connection has to end
                raise
            await ApiError(500, "internal", "a fault of the server; its log has it").response()(
                scope, receive, headed
            )
        finally:
            self._note(scope, status, time.perf_counter() - start)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = (
            None if scope["path"] in OPEN else self._refusal(scope["method"], Headers(scope=scope))
        )
        await (self.app if refused is None else refused.response())(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> ApiError | None:
        if method == "POST" and headers.get("sec-fetch-site", "none") not in (
            "none",
            "same-origin",
        ):
            return ApiError(403, "other_origin", "pages of other origins may not ask")
        if self.token is None:
            # else a page whose name is made to lead here (DNS rebinding) could read what only this
            # machine may
            said = (
                "without a token only this machine is served, as localhost or 127.0.0.1: start "
                "it with --token"
            )
            return None if is_own(_host(headers)) else ApiError(421, "other_host", said)
        ask = {"WWW-Authenticate": 'Bearer, Basic realm="pixelwise"'}
        shown = _shows(headers.get("authorization", ""), self.token)
        return (
            None
            if shown
            else ApiError(401, "no_token", "send the header Authorization: Bearer TOKEN", ask)
        )

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")  # never what a client made up
        status = status or GONE
        self.meters.requests.labels(route, status).inc()
        self.meters.seconds.labels(route).observe(seconds)
        asked = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
        }
        log.info("request", extra={"fields": asked})


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


def _host(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _shows(authorization: str, token: str) -> bool:
    scheme, _, shown = authorization.partition(" ")
    secret = shown.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            secret = base64.b64decode(secret, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    return scheme.lower() in ("basic", "bearer") and hmac.compare_digest(secret, token.encode())


def _add_headers(headers: MutableHeaders, status: int) -> None:
    for name, value in HEADERS.items():
        headers[name] = value
    if status != 304:  # it would replace the policy of the document that the browser has kept
        document = headers.get("content-type", "").startswith("text/html")
        headers["Content-Security-Policy"] = PAGE if document else NOTHING
    headers.setdefault("Cache-Control", "no-store")
