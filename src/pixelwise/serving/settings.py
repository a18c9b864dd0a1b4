"""What a server allows, and how much it holds."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.io.images import MAX_PIXELS

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Settings:
    """Limits of a server, each checked before an image is decoded.

    token: what a client must show, at least SHORTEST_TOKEN characters of ASCII, or None. max_bytes
    of an image file, max_pixels and max_side of its picture; formats, of FORMATS. queue: requests
    of one model that are held at once, those in work too, as long as they are likely to be done
    within half the deadline; deadline: seconds from a request's first byte to its answer; on the
    page, those in which it gets on. style_weights: a file for `style_network`, with which the page
    paints in styles. Raises ConfigError for what cannot be.
    """

    token: str | None = None
    max_bytes: int = 20 * 2**20
    max_pixels: int = 50_000_000
    max_side: int = 16_384
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP")
    queue: int = 256
    deadline: float = 60.0
    style_weights: Path | None = None
    style_network: str = "vgg19"

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "max_side", "queue", "deadline"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: give a number above 0")
        if self.max_pixels > MAX_PIXELS:
            raise ConfigError(
                f"max_pixels is {self.max_pixels}: at most {MAX_PIXELS} are read at once"
            )
        for name in self.formats:
            if name not in FORMATS:
                raise unknown_choice_error("format", name, FORMATS)
        if self.style_weights is not None and not self.style_weights.is_file():
            raise ConfigError(f"style weights {self.style_weights}: no such file")
        if self.token is not None and (
            len(self.token) < SHORTEST_TOKEN or not self.token.isascii()
        ):
            raise ConfigError(
                f"a token must have at least {SHORTEST_TOKEN} characters of ASCII: take a "
                "long random one"
            )


def is_own(host: str) -> bool:
    """Whether an address or name is one by which only this machine reaches itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
