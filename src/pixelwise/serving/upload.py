"""From a request's body to pixels: every limit is checked before a picture is decoded, and nothing
touches the disk.
"""

import sys
from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pixelwise.errors import ImageError
from pixelwise.io.images import Array, read_header_size, read_rgb
from pixelwise.serving.errors import ApiError
from pixelwise.serving.settings import Settings

FRAME = 16 * 1024
"""Bytes that a body may have beside the image: boundaries and headers."""

SCANS = 500
"""Passes over the picture that a progressive JPEG may ask for: ten are usual, and a file could hold
a day's work.
"""


class _InMemory(MultiPartParser):
    spool_max_size = sys.maxsize

    def close(self) -> None:
        for file in self._files_to_close_on_error:
            file.close()


def promised(request: Request, settings: Settings) -> int:
    """Bytes that the body will have at most: as its header says, or those allowed."""
    said = request.headers.get("content-length", "")
    limit = settings.max_bytes + FRAME
    return min(int(said), limit) if said.isdecimal() else limit


async def read_upload(request: Request, settings: Settings) -> bytes:
    """The file in the field `image` of a multipart body.

    Raises ApiError for another kind of body, one above the limit (as soon as that shows) and one
    without that field.
    """
    if (
        request.headers.get("content-type", "").partition(";")[0].strip().lower()
        != "multipart/form-data"
    ):
        raise ApiError(
            415,
            "not_multipart",
            "send the image as the field `image` of a multipart/form-data body",
        )
    limit = settings.max_bytes + FRAME
    promised = request.headers.get("content-length", "")
    if promised.isdecimal() and int(promised) > limit:
        raise _too_many_bytes(settings)
    parser = _InMemory(
        request.headers, _limited(request, limit, settings), max_files=1, max_fields=0
    )
    try:
        file = (await parser.parse()).get("image")
        if not isinstance(file, UploadFile):
            raise ApiError(422, "no_image", "there is no file in the field `image`")
        data = await file.read()
    except (
        MultiPartException,
        ValueError,
        LookupError,
    ) as error:  # the latter of odd names and character sets
        raise ApiError(
            400, "bad_multipart", f"the body is no multipart form with one file ({error})"
        ) from error
    finally:
        parser.close()
    if len(data) > settings.max_bytes:
        raise _too_many_bytes(settings)
    return data


async def read_bytes(request: Request, settings: Settings) -> bytes:
    """The whole of a body that is nothing but bytes. Raises ApiError for another kind and one above
    the limit.
    """
    if request.headers.get("content-type") != "application/octet-stream":
        raise ApiError(415, "not_bytes", "send the file's bytes as application/octet-stream")
    return b"".join([chunk async for chunk in _limited(request, settings.max_bytes, settings)])


async def _limited(request: Request, limit: int, settings: Settings) -> AsyncGenerator[bytes, None]:
    came = 0
    async for chunk in request.stream():
        came += len(chunk)
        if came > limit:
            raise _too_many_bytes(settings)
        yield chunk


def check_header(data: bytes, settings: Settings) -> None:
    """Raises ApiError for a file of another format or a picture above the limits, by what its
    header says.
    """
    try:
        size = read_header_size(data, formats=settings.formats)
    except ImageError as error:
        raise ApiError(413, "too_many_pixels", str(error)) from error
    if size is None:
        allowed = ", ".join(settings.formats)
        raise ApiError(
            415, "unknown_format", f"the file is damaged or of another format than {allowed}"
        )
    if data[:2] == b"\xff\xd8" and (scans := data.count(b"\xff\xda")) > SCANS:
        raise ApiError(
            413, "too_many_scans", f"the JPEG has {scans} scans: allowed are {SCANS}; save it anew"
        )
    height, width = size
    if height * width > settings.max_pixels or max(size) > settings.max_side:
        raise ApiError(
            413,
            "too_many_pixels",
            f"the picture has {height} x {width} pixels (height x width): allowed are "
            f"{settings.max_pixels} pixels, "
            f"{settings.max_side} a side",
        )


def decode(data: bytes, settings: Settings) -> Array:
    """(H, W, 3) uint8 of a file that `check_header` let pass. Raises ImageError for a damaged
    one.
    """
    try:
        return read_rgb(data, formats=settings.formats)
    except ImageError:
        raise
    except Exception as error:  # a decoder's faults on damaged files are no closed list
        raise ImageError(
            f"the image: cannot be decoded ({type(error).__name__}); save it anew"
        ) from error


def _too_many_bytes(settings: Settings) -> ApiError:
    return ApiError(
        413,
        "too_many_bytes",
        f"the file has more than the {settings.max_bytes} bytes that are allowed",
    )
