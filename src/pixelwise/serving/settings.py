"""What a server allows, and how much it holds."""

import ipaddress
import math
import re
from dataclasses import dataclass
from pathlib import Path

from pixelwise.config_fields import Range, check_fields, option
from pixelwise.errors import ConfigError, unknown_choice_error

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
MIN_TOKEN_LENGTH = 16
_POSITIVE = Range(0, low_open=True, text="a number above 0")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")


@dataclass(frozen=True)
class Settings:
    """Limits of a server, each checked before an image is decoded. Raises ConfigError for values
    out of range.
    """

    token: str | None = option(None, own=True)
    """Token that clients must send: at least 16 ASCII characters. Required where others reach the
    host.
    """

    allow_origins: tuple[str, ...] = option((), own=True, cli="allow_origin", metavar="ORIGIN")
    """Origin, such as https://example.org, whose pages may send requests and read the answers;
    repeat it for several.
    """

    queue: int = option(256, own=True, valid=_POSITIVE)
    """Requests of one model that are held at once, those in work too, as long as they are likely to
    be done within half the deadline.
    """

    deadline: float = option(60.0, own=True, valid=_POSITIVE)
    """Seconds from a request's first byte to its answer; on the page, from each step of progress to
    the next.
    """

    max_bytes: int = option(20 * 2**20, own=True, valid=_POSITIVE)
    """Largest image file, in bytes."""

    max_pixels: int = option(50_000_000, own=True, valid=_POSITIVE)
    """Largest picture, in pixels; at most 100 million are read at once."""

    max_side: int = option(16_384, own=True, valid=_POSITIVE)
    """Longest side of a picture, in pixels."""

    formats: tuple[str, ...] = option(
        ("JPEG", "PNG", "WEBP"), own=True, cli="format", choices=FORMATS
    )
    """Accepted image format; repeat it for several. By default JPEG, PNG and WEBP."""

    style_weights: Path | None = option(None, own=True)
    """Weights file of `style_network`, with which the page transfers styles."""

    style_network: str = option("vgg19", own=True)
    """Network of these weights: vgg19, vgg16 or timm's."""

    def __post_init__(self) -> None:
        from pixelwise.io.images import MAX_PIXELS  # not for --help, which reads the fields alone

        check_fields(self)
        if self.max_pixels > MAX_PIXELS:
            raise ConfigError(
                f"max_pixels is {self.max_pixels}: at most {MAX_PIXELS} are read at once"
            )
        for name in self.formats:
            if name not in FORMATS:
                raise unknown_choice_error("format", name, FORMATS)
        for origin in self.allow_origins:
            _check_origin(origin)
        if self.style_weights is not None and not self.style_weights.is_file():
            raise ConfigError(f"style weights {self.style_weights}: no such file")
        if self.token is not None:
            _check_token(self.token)

    def describe_max_bytes(self) -> str:
        """`max_bytes` in the unit that people read: MiB, or KiB below one of them."""
        if self.max_bytes >= 2**20:
            return f"{math.floor(self.max_bytes / 2**20 * 10) / 10:g} MiB"
        return f"{math.floor(self.max_bytes / 2**10 * 10) / 10:g} KiB"


def _check_origin(origin: str) -> None:
    if not _ORIGIN.fullmatch(origin):
        raise ConfigError(
            f"origin {origin}: give scheme and host, with the port where there is one, and no "
            "path, such as https://example.org; each by its name, as * would let all pages in"
        )


def _check_token(token: str) -> None:
    if len(token) < MIN_TOKEN_LENGTH or not token.isascii():
        raise ConfigError(
            f"a token must have at least {MIN_TOKEN_LENGTH} ASCII characters: use a long random one"
        )


def is_loopback(host: str) -> bool:
    """Whether an address or name is one by which only this machine reaches itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
