"""The page for people: an image in, its classes over it. Files in static/, and routes of its own.

Images take a road of their own, /page/..., which tells of progress and keeps nothing.
"""

import mimetypes
from pathlib import Path

import matplotlib
import numpy as np
from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.responses import Response

from pixelwise.datasets.synthetic import draw_scene
from pixelwise.errors import ConfigError
from pixelwise.io.images import Array, encode_image, read_rgb
from pixelwise.serving.errors import ApiError
from pixelwise.serving.job_queue import Job
from pixelwise.serving.page_result import answer, data_url
from pixelwise.serving.page_stream import Lines
from pixelwise.serving.service import Service
from pixelwise.serving.settings import Settings
from pixelwise.serving.upload import check_header, decode

STATIC = Path(__file__).with_name("static")
# A browser asks each time whether a file is still the same: no mixture of two versions.
REVALIDATE = {"Cache-Control": "no-cache"}
STYLE_SIDES = range(64, 1025)
STYLE_OFF = (
    "Style transfer is off: start the server with --style-weights FILE (torchvision's VGG-19) "
    "to have it here."
)


class Example(BaseModel):
    """An image to try; its address is relative to the page."""

    title: str
    address: str


class PageSettings(BaseModel):
    """What the page's script has to know of the server; `style_notice` is empty where style is
    on.
    """

    models: list[str]
    max_bytes: int
    style_notice: str
    examples: list[Example]


class StaticPage(StaticFiles):
    """The files of the page, which a browser may keep as long as the server says they are new."""

    def file_response(self, *args: object, **options: object) -> Response:
        """As StaticFiles answers, with one more header."""
        response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers.update(REVALIDATE)
        return response


def add_page(app: FastAPI, service: Service) -> None:
    """Serve the page at "/" of `app`. What a visitor can cause is shown to them as the error's
    message.
    """
    # Windows may call a script text/plain, which no browser runs beside `nosniff`.
    mimetypes.add_type("text/javascript", ".js")
    app.mount("/static", StaticPage(directory=STATIC))

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index() -> Response:
        return FileResponse(STATIC / "index.html", headers=REVALIDATE)

    _add_settings(app, service)
    _add_streams(app, service)


def _add_settings(app: FastAPI, service: Service) -> None:
    examples = draw_examples()
    settings = PageSettings(
        models=list(service.lanes),
        max_bytes=service.settings.max_bytes,
        style_notice=STYLE_OFF if service.style is None else "",
        examples=[
            Example(title=title, address=f"page/examples/{number}")
            for number, title in enumerate(examples)
        ],
    )
    files = [encode_image(rgb, "JPEG") for rgb in examples.values()]

    @app.get("/page/settings", include_in_schema=False)
    async def page_settings() -> PageSettings:
        return settings

    @app.get("/page/examples/{number}", include_in_schema=False)
    async def example(number: int) -> Response:
        if number not in range(len(files)):
            raise ApiError(404, "not_found", f"there are {len(files)} examples, from 0 on")
        return Response(files[number], media_type="image/jpeg")


def _add_streams(app: FastAPI, service: Service) -> None:
    settings = service.settings
    style = service.style

    @app.post("/page/segment", include_in_schema=False)
    async def segment(model: str) -> Response:
        def work(body: bytes, job: Job) -> dict[str, object]:
            check_header(body, settings)
            return answer(service.labelled(model, body, job), model)

        return Lines(service.lane(model), settings, work)

    @app.post("/page/style", include_in_schema=False)
    async def transfer_style(split: int, side: int) -> Response:
        if style is None:
            raise ConfigError(STYLE_OFF)
        if side not in STYLE_SIDES:
            allowed = f"{STYLE_SIDES[0]} to {STYLE_SIDES[-1]}"
            raise ConfigError(f"side is {side}: allowed is {allowed}")

        def work(body: bytes, job: Job) -> dict[str, object]:
            content = _read_image(body[:split], settings)
            painting = _read_image(body[split:], settings)
            return {"image": data_url(style(content, painting, side, job.say))}

        return Lines(service.painting, settings, work)


def _read_image(data: bytes, settings: Settings) -> Array:
    check_header(data, settings)
    return decode(data, settings)


def draw_examples() -> dict[str, Array]:
    """Images to try, by title, (H, W, 3) uint8: drawn shapes and the portrait that comes with
    Matplotlib.
    """
    rng = np.random.default_rng(4)
    examples = {f"Shapes {number}": draw_scene(rng, (360, 480), 7)[0] for number in (1, 2)}
    portrait = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"
    if portrait.is_file():
        examples["Portrait of Grace Hopper"] = read_rgb(portrait)
    return examples
