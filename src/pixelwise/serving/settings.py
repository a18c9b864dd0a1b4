"""What a server allows, and how much it holds."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.io.images import MAX_PIXELS

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
MIN_TOKEN_LENGTH = 16
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
_POSITIVE = ("max_bytes", "max_pixels", "max_side", "queue", "deadline")


@dataclass(frozen=True)
class Settings:
    """Limits of a server, each checked before an image is decoded. Raises ConfigError for values
    out of range.
    """

    token: str | None = None
    """What a client must show: at least MIN_TOKEN_LENGTH ASCII characters, or None for no token."""

    max_bytes: int = 20 * 2**20
    """Bytes of an image file."""

    max_pixels: int = 50_000_000
    """Pixels of an image, at most MAX_PIXELS of pixelwise.io.images."""

    max_side: int = 16_384
    """Pixels of an image's longer side."""

    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP")
    """File formats that are read, of FORMATS."""

    allow_origins: tuple[str, ...] = ()
    """Origins, such as https://example.org, whose pages may send requests and read the answers."""

    queue: int = 256
    """Requests of one model that are held at once, those in work too, as long as they are likely to
    be done within half the deadline.
    """

    deadline: float = 60.0
    """Seconds from a request's first byte to its answer; on the page, from each step of progress to
    the next.
    """

    style_weights: Path | None = None
    """A weights file of `style_network`, with which the page transfers styles; None for off."""

    style_network: str = "vgg19"
    """vgg19, vgg16 or a timm encoder."""

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if not getattr(self, name) > 0:  # NaN too
                raise ConfigError(f"{name} is {getattr(self, name)}: give a number above 0")
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
