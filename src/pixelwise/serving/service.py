"""What a request for masks goes through: a place in its model's queue, the upload, a thread's work,
the answer.
"""

import asyncio
import copy
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from itertools import count
from typing import Any

from fastapi import Request, Response
from prometheus_client import Gauge
from starlette.requests import ClientDisconnect

from pixelwise.errors import ConfigError
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.inference.tta import Logits, Pixels
from pixelwise.io.images import Array
from pixelwise.serving.errors import ApiError
from pixelwise.serving.job_queue import Job, Lane
from pixelwise.serving.middleware import Meters
from pixelwise.serving.responses import MEDIA, Wish, chosen, encode, refuse_unknown, wanted_format
from pixelwise.serving.settings import Settings
from pixelwise.serving.upload import check_header, decode, promised, read_upload

Style = Callable[[Array, Array, int, Callable[[float], None]], Array]
"""(content, style, side, progress) to a picture, all (H, W, 3) uint8; `side` pixels at most;
progress gets 0 to 1.
"""

HELD_BYTES = 512 * 2**20
"""Image files of one model that are held at once."""

PAINTERS = 4
"""Pictures of the second tab in work or waiting. One is painted at a time: each takes gigabytes and
all cores.
"""


class Service:
    """Models by name, each behind its lane; the first is the default."""

    def __init__(
        self,
        predictors: Mapping[str, Predictor],
        settings: Settings,
        meters: Meters,
        style: Style | None,
    ) -> None:
        if not predictors:
            raise ConfigError("there is no model to serve: give at least one")
        self.predictors = predictors
        self.settings = settings
        self.meters = meters
        self.style = style
        limits: dict[str, Any] = {"room": HELD_BYTES, "seconds": settings.deadline / 2}
        self.lanes = {name: Lane(settings.queue, **limits) for name in predictors}
        self.painting = Lane(PAINTERS, threads=1)
        held = Gauge(
            "pixelwise_held",
            "Requests that wait or are in work.",
            ("model",),
            registry=meters.registry,
        )
        for name, lane in self.lanes.items():
            held.labels(name).set_function(partial(getattr, lane, "held"))

    def lane(self, name: str) -> Lane:
        """The lane of a model. Raises ApiError where there is none of that name."""
        if name not in self.lanes:
            raise ApiError(
                404,
                "unknown_model",
                f"no model of that name: choose one of {', '.join(self.lanes)}",
            )
        return self.lanes[name]

    def labelled(self, name: str, data: bytes, job: Job) -> Result:
        """The file `data`, labelled, for a thread of the model's lane; `job` hears what share of
        tiles has begun.
        """
        predictor = self.predictors[name]
        rgb = decode(data, self.settings)
        plan = predictor.plan(*rgb.shape[:2])
        total = len(plan.rows) * len(plan.columns)
        begun = count()

        def run(tile: Pixels) -> Logits:
            job.say(next(begun) / total)
            return predictor.runner(tile)

        watched = copy.copy(predictor)
        watched.runner = run
        result = watched.predict(rgb)
        self.meters.pixels.labels(name).inc(result.labels.size)
        return result

    async def answer(self, request: Request, wish: Wish) -> Response:
        """The whole of POST /v1/segment."""
        kind = wanted_format(wish, request.headers.get("accept", "*/*"))
        name = next(iter(self.lanes)) if wish.model is None else wish.model
        lane = self.lane(name)
        refuse_unknown(wish, self.predictors[name].classes.names)

        def work(data: bytes, job: Job) -> bytes:
            return encode(chosen(self.labelled(name, data, job), wish), wish, kind, name)

        with lane.place(promised(request, self.settings)) as job:
            try:
                async with asyncio.timeout(self.settings.deadline):
                    data = await read_upload(request, self.settings)
                    await asyncio.to_thread(check_header, data, self.settings)
                    body = await _unless_gone(request, job.start(partial(work, data, job)))
            except TimeoutError as error:
                status, code = (
                    (408, "upload_too_slow") if job.future is None else (504, "deadline_passed")
                )
                raise ApiError(
                    status, code, f"not done within {self.settings.deadline:g} s"
                ) from error
        return Response(body, media_type=MEDIA[kind])


async def _unless_gone(request: Request, future: Future[bytes]) -> bytes:
    """The result, or ClientDisconnect as soon as the client has left."""
    # the body is read: all that can still come is the end
    gone: asyncio.Future[Any] = asyncio.ensure_future(request.receive())
    result = asyncio.wrap_future(future)
    try:
        await asyncio.wait({gone, result}, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise ClientDisconnect
        return result.result()
    finally:
        gone.cancel()
        result.cancel()
