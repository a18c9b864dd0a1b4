"""Pages and charts written from the templates of this room.

A page is one HTML file that needs nothing else: no network, no script, pictures inside. Every value
is escaped by the template engine, so any text is allowed anywhere; it is shown, never read as HTML.
"""

import base64
import math
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pixelwise.io.atomic import write_text
from pixelwise.metrics.confusion import nan_mean

# The style of every page.
STYLE = Path(__file__).with_name("templates") / "style.css"


def write_page(path: Path, template: str, **values: object) -> None:
    """Write the HTML page `path` from a template, whose variables `values` are.

    Raises OutputError when `path` cannot be written.
    """
    write_text(path, render_template(template, **values))


def render_template(template: str, **values: object) -> Markup:
    """HTML or SVG from a template of this room."""
    return Markup(_ENVIRONMENT.get_template(template).render(**values))


def data_uri(content: bytes, media_type: str) -> str:
    """The bytes of a picture as the address that stands in the page itself."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def format_percent(value: float | None) -> str:
    """A figure in [0, 1] as per cent; a dash where there is none."""
    return f"{value:.1%}" if _is_known(value) else "-"


def _format_small_percent(share: float) -> str:
    """With two digits, as classes may be rare; a dash for those that never occur."""
    if share == 0:
        return "\N{EN DASH}"
    return "<0.01%" if share < 0.0001 else f"{share:.2%}"


def _format_interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{format_percent(low)} to {format_percent(high)}"


def _format_thousands(count: int) -> str:
    return f"{count:,}"


def _shorten(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def _is_known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pixelwise.reports"),
        autoescape=True,
        undefined=StrictUndefined,  # a misspelt variable raises instead of leaving a gap
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "data_uri": data_uri,
        "interval": _format_interval,
        "nan_mean": nan_mean,
        "percent": format_percent,
        "shortened": _shorten,
        "small_percent": _format_small_percent,
        "thousands": _format_thousands,
    }
    environment.tests["known"] = _is_known
    return environment


_ENVIRONMENT = _make_environment()
