"""From a request's body to pixels: every limit is checked before an image is decoded, and nothing
touches the disk.
"""

import sys
from collections.abc import AsyncGenerator, Sequence
from urllib.parse import urlencode

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pixelwise.errors import ImageError
from pixelwise.io.band_layout import read_layout
from pixelwise.io.channels import RGB, ReadingRule
from pixelwise.io.image_formats import describe_contents
from pixelwise.io.images import Picture, read_header_size, read_picture
from pixelwise.serving.error_handlers import ApiError
from pixelwise.serving.settings import Settings

# Bytes that a body may have beside the image: boundaries and headers.
FORM_OVERHEAD = 16 * 1024
# Files, and other fields, of a form that are read to be named; one file is allowed.
MAX_PARTS = 64
_MALFORMED = (
    "the body is no well-formed multipart form: it is cut short, or its boundary is another than "
    "the header's"
)
# Passes over the image that a progressive JPEG may ask for: ten are usual, and a file could hold a
# day's work.
MAX_JPEG_SCANS = 500
_TIFF = "TIFF"
_JPEG_START = b"\xff\xd8"
_JPEG_SCAN = b"\xff\xda"


class _InMemoryParser(MultiPartParser):
    spool_max_size = sys.maxsize

    def close(self) -> None:
        for file in self._files_to_close_on_error:
            file.close()


def body_size_limit(request: Request, settings: Settings) -> int:
    """Bytes that the body will have at most: as its header says, or those allowed."""
    limit = settings.max_bytes + FORM_OVERHEAD
    length = _content_length(request)
    return limit if length is None else min(length, limit)


async def read_upload(request: Request, settings: Settings) -> bytes:
    """The file in the field `image` of a multipart body.

    Raises ApiError for another kind of body, one above the limit (as soon as that shows), one
    without that field and one with others.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        came = f"the body is {media_type[:60]}" if media_type else "the body has no Content-Type"
        raise ApiError(
            415,
            "not_multipart",
            f"{came}: send the image as the field `image` of a multipart/form-data body, as curl "
            "does with -F image=@photo.jpg",
        )
    limit = settings.max_bytes + FORM_OVERHEAD
    length = _content_length(request)
    if length is not None and length > limit:
        raise _too_many_bytes(settings)
    data = await _parse_form(request, limit, settings)
    if len(data) > settings.max_bytes:
        raise _too_many_bytes(settings)
    return data


async def read_bytes(request: Request, settings: Settings) -> bytes:
    """The whole of a body that is nothing but bytes. Raises ApiError for another kind and one above
    the limit.
    """
    if request.headers.get("content-type") != "application/octet-stream":
        raise ApiError(415, "not_bytes", "send the file's bytes as application/octet-stream")
    chunks = [chunk async for chunk in _limit_stream(request, settings.max_bytes, settings)]
    return b"".join(chunks)


def check_header(data: bytes, settings: Settings) -> None:
    """Raises ApiError for a file of another format or an image above the limits, by what its header
    says.
    """
    try:
        size = read_header_size(data, formats=settings.formats)
    except ImageError as error:
        raise ApiError(413, "too_many_pixels", str(error)) from error
    if size is None and _TIFF in settings.formats:  # of bands that PIL does not know
        layout = read_layout(data)
        size = None if layout is None else layout.size
    if size is None:
        allowed = ", ".join(settings.formats)
        kind, _ = describe_contents(data[:512])
        what = (
            f"{kind} and not of {allowed}"
            if kind
            else f"damaged or of another format than {allowed}"
        )
        raise ApiError(415, "unknown_format", f"the file is {what}")
    if data.startswith(_JPEG_START):
        _check_scans(data)
    height, width = size
    if height * width > settings.max_pixels or max(size) > settings.max_side:
        raise ApiError(
            413,
            "too_many_pixels",
            f"the image has {height} x {width} pixels (height x width): at most "
            f"{settings.max_pixels} pixels and {settings.max_side} a side are allowed",
        )


def decode(data: bytes, settings: Settings, rule: ReadingRule = RGB) -> Picture:
    """The picture of a file that `check_header` let pass; `rule` as in `read_picture`.
    Raises ImageError for a damaged one.
    """
    try:
        return read_picture(data, rule, formats=settings.formats)
    except ImageError:
        raise
    except Exception as error:  # a decoder's errors on damaged files are no closed list
        raise ImageError(
            f"the image: cannot be decoded ({type(error).__name__}); save it again"
        ) from error


def _content_length(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else None


async def _parse_form(request: Request, limit: int, settings: Settings) -> bytes:
    stream = _limit_stream(request, limit, settings)
    parser = _InMemoryParser(
        request.headers, stream, max_files=MAX_PARTS, max_fields=MAX_PARTS, max_part_size=limit
    )
    try:
        file = _find_image((await parser.parse()).multi_items())
        return await file.read()
    except MultiPartException as error:
        raise ApiError(400, "bad_multipart", _explain(str(error))) from error
    # of odd names and character sets
    except (ValueError, LookupError) as error:
        raise ApiError(400, "bad_multipart", _MALFORMED) from error
    finally:
        parser.close()


def _find_image(fields: Sequence[tuple[str, UploadFile | str]]) -> UploadFile:
    """The one file of a form. Raises ApiError, naming what else it holds."""
    files = [(name, value) for name, value in fields if isinstance(value, UploadFile)]
    texts = [(name, value) for name, value in fields if isinstance(value, str)]
    if len(files) > 1:
        raise ApiError(
            400,
            "bad_multipart",
            f"the form has {len(files)} files: send one a request, in the field `image`",
        )
    others = [(name, value) for name, value in texts if name != "image"]
    if others:
        name, value = others[0]
        raise ApiError(
            422,
            "invalid_parameter",
            f"the form has the field `{name[:40]}` beside the image: parameters stand in the "
            f"query, as in /v1/segment?{urlencode({name[:40]: value[:40]})}",
        )
    if texts:
        raise ApiError(
            422,
            "no_image",
            "the field `image` holds text: send the file itself, as curl does with -F "
            "image=@photo.jpg; paths, addresses and base64 are not read",
        )
    if not files:
        raise ApiError(422, "no_image", "there is no file in the field `image`")
    name, file = files[0]
    if name != "image":
        raise ApiError(
            422,
            "no_image",
            f"there is no file in the field `image`, but one in `{name[:40]}`: call it image",
        )
    return file


def _explain(reason: str) -> str:
    """What a fault of a form means, in our words."""
    if reason.startswith("Too many"):
        return f"the form has more than {MAX_PARTS} fields: send one file, in the field `image`"
    if reason.startswith("Missing boundary"):
        return "Content-Type names no boundary: leave that header to the sending library"
    return _MALFORMED


async def _limit_stream(
    request: Request, limit: int, settings: Settings
) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise _too_many_bytes(settings)
        yield chunk


def _check_scans(data: bytes) -> None:
    scans = data.count(_JPEG_SCAN)
    if scans > MAX_JPEG_SCANS:
        raise ApiError(
            413,
            "too_many_scans",
            f"the JPEG has {scans} scans: at most {MAX_JPEG_SCANS} are allowed; save it again",
        )


def _too_many_bytes(settings: Settings) -> ApiError:
    return ApiError(
        413,
        "too_many_bytes",
        f"the file is too large: at most {settings.describe_max_bytes()} are allowed",
    )
