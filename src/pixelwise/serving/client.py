"""A client of `pixelwise serve` on the standard library, for Python programs."""

import io
import json
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

import numpy as np
from PIL import Image

from pixelwise.errors import PixelwiseError
from pixelwise.io.images import Array, encode_image


class ServerError(PixelwiseError):
    """The server refused, or cannot be reached. status and code as it gave them; retry_after in
    seconds, where it did.

    status is 0 where there was no answer.
    """

    def __init__(
        self, message: str, *, status: int = 0, code: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class Client:
    """Sends images to the server at `url`, such as http://127.0.0.1:8000. `timeout` in seconds."""

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def models(self) -> list[dict[str, Any]]:
        """The models: `name`, `classes`, `palette`."""
        models: list[dict[str, Any]] = json.loads(self._request("/v1/models"))["models"]
        return models

    def labels(self, image: str | Path | bytes | Array, **params: Any) -> Array:
        """Class ids (H, W) uint8, 255 where void."""
        with Image.open(io.BytesIO(self.segment(image, format="mask", **params))) as mask:
            return np.array(mask)

    def describe(self, image: str | Path | bytes | Array, **params: Any) -> dict[str, Any]:
        """Shares and regions, as the JSON answer has them."""
        answer: dict[str, Any] = json.loads(self.segment(image, format="json", **params))
        return answer

    def segment(self, image: str | Path | bytes | Array, **params: Any) -> bytes:
        """The answer as it came, to a path, a file's bytes, or (H, W, 3) uint8; `params` are those
        of /v1/segment, such as format, model, threshold, classes. Raises ServerError.
        """
        if isinstance(image, np.ndarray):
            image = encode_image(image, "PNG")
        data = image if isinstance(image, bytes) else Path(image).read_bytes()
        boundary = uuid4().hex
        query = {name: value for name, value in params.items() if value is not None}
        return self._request(
            f"/v1/segment?{urlencode(query, doseq=True)}",
            _encode_form(data, boundary),
            {"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )

    def _request(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        request = Request(self.url + path, body, self._headers | (headers or {}))
        try:
            with urlopen(request, timeout=self.timeout) as response:
                content: bytes = response.read()
                return content
        except HTTPError as error:
            raise _read_error(error) from error
        except (URLError, HTTPException, OSError) as error:
            raise ServerError(
                f"no answer from {self.url} ({error}); is pixelwise serve running there?"
            ) from error


def _encode_form(data: bytes, boundary: str) -> bytes:
    disposition = 'Content-Disposition: form-data; name="image"; filename="image"'
    head = f"--{boundary}\r\n{disposition}\r\n\r\n"
    return head.encode() + data + f"\r\n--{boundary}--\r\n".encode()


def _read_error(error: HTTPError) -> ServerError:
    try:
        detail = json.loads(error.read())["error"]
    except (ValueError, KeyError, TypeError):  # a proxy in between answered
        detail = {"code": "", "message": str(error)}
    retry_after = error.headers.get("Retry-After", "")
    return ServerError(
        detail["message"],
        status=error.code,
        code=detail["code"],
        retry_after=int(retry_after) if retry_after.isdecimal() else None,
    )
