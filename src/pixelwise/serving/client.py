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
    """Asks the server at `url`, such as http://127.0.0.1:8000. `timeout` in seconds."""

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def models(self) -> list[dict[str, Any]]:
        """The models: `name`, `classes`, `palette`."""
        found: list[dict[str, Any]] = json.loads(self._ask("/v1/models"))["models"]
        return found

    def labels(self, image: str | Path | bytes | Array, **wish: Any) -> Array:
        """Class ids (H, W) uint8, 255 where void."""
        with Image.open(io.BytesIO(self.segment(image, format="mask", **wish))) as mask:
            return np.array(mask)

    def describe(self, image: str | Path | bytes | Array, **wish: Any) -> dict[str, Any]:
        """Shares and regions, as the JSON answer has them."""
        found: dict[str, Any] = json.loads(self.segment(image, format="json", **wish))
        return found

    def segment(self, image: str | Path | bytes | Array, **wish: Any) -> bytes:
        """The answer as it came, to a path, a file's bytes, or (H, W, 3) uint8; `wish` are the
        parameters of /v1/segment, such as format, model, threshold, classes. Raises ServerError.
        """
        if isinstance(image, np.ndarray):
            image = encode_image(image, "PNG")
        data = image if isinstance(image, bytes) else Path(image).read_bytes()
        edge = uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n\r\n'
        body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
        query = urlencode(
            {key: value for key, value in wish.items() if value is not None}, doseq=True
        )
        return self._ask(
            f"/v1/segment?{query}", body, {"Content-Type": f"multipart/form-data; boundary={edge}"}
        )

    def _ask(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        request = Request(self.url + path, body, self._headers | (headers or {}))
        try:
            with urlopen(request, timeout=self.timeout) as answer:
                found: bytes = answer.read()
                return found
        except HTTPError as error:
            raise _told(error) from error
        except (URLError, HTTPException, OSError) as error:
            raise ServerError(
                f"no answer from {self.url} ({error}); is pixelwise serve running there?"
            ) from error


def _told(error: HTTPError) -> ServerError:
    try:
        fault = json.loads(error.read())["error"]
    except (ValueError, KeyError, TypeError):  # something between, such as a proxy, answered
        fault = {"code": "", "message": str(error)}
    later = error.headers.get("Retry-After", "")
    return ServerError(
        fault["message"],
        status=error.code,
        code=fault["code"],
        retry_after=int(later) if later.isdecimal() else None,
    )
