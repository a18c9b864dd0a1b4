"""What a request for masks goes through: a place in its model's queue, the upload, a thread's work,
the answer.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from itertools import count
from typing import Any

from fastapi import Request, Response
from prometheus_client import Gauge
from starlette.requests import ClientDisconnect

from pixelwise.errors import ConfigError
from pixelwise.inference.layer_predictor import LayerPredictor, LayerResult, predict_any
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.inference.tta import Logits, Pixels, Runner
from pixelwise.io.images import Array
from pixelwise.serving.error_handlers import ApiError
from pixelwise.serving.job_queue import Job, JobQueue
from pixelwise.serving.layer_responses import (
    apply_layer_params,
    choose_layer_format,
    encode_layers,
)
from pixelwise.serving.middleware import Metrics
from pixelwise.serving.params import SegmentParams, check_class_names, check_single, choose_format
from pixelwise.serving.responses import (
    MEDIA_TYPES,
    NOTES_HEADER,
    apply_params,
    describe_notes,
    encode,
)
from pixelwise.serving.settings import Settings
from pixelwise.serving.upload import body_size_limit, check_header, decode, read_upload

# (content, style, side, on_progress) to an image, all (H, W, 3) uint8; `side` pixels at most;
# on_progress receives 0 to 1.
Style = Callable[[Array, Array, int, Callable[[float], None]], Array]

# Bytes of image files that are held at once for one model.
MAX_QUEUE_BYTES = 512 * 2**20
# Style transfers that wait or are in work. One runs at a time: each takes gigabytes and all cores.
MAX_STYLE_JOBS = 4


class Service:
    """Models by name, each behind its queue; the first is the default."""

    def __init__(
        self,
        predictors: Mapping[str, Predictor],
        settings: Settings,
        metrics: Metrics,
        style: Style | None,
    ) -> None:
        if not predictors:
            raise ConfigError("there is no model to serve: give at least one")
        self.predictors = predictors
        self.settings = settings
        self.metrics = metrics
        self.style = style
        self.queues = {
            name: JobQueue(
                settings.queue, max_bytes=MAX_QUEUE_BYTES, max_wait_s=settings.deadline / 2
            )
            for name in predictors
        }
        self.style_queue = JobQueue(MAX_STYLE_JOBS, threads=1)
        gauge = Gauge(
            "pixelwise_held",
            "Requests that wait or are in work.",
            ("model",),
            registry=metrics.registry,
        )
        for name, queue in self.queues.items():
            gauge.labels(name).set_function(partial(getattr, queue, "active"))

    def get_queue(self, name: str) -> JobQueue:
        """The queue of a model. Raises ApiError where there is none of that name."""
        if name not in self.queues:
            names = ", ".join(self.queues)
            raise ApiError(404, "unknown_model", f"no model of that name: choose one of {names}")
        return self.queues[name]

    def segment(self, name: str, data: bytes, job: Job) -> Result | LayerResult:
        """Label the image file `data` in a thread of the model's queue; `job` hears which share of
        tiles has begun.
        """
        predictor = self.predictors[name]
        picture = decode(data, self.settings, predictor.rule)
        size = (picture.image.height, picture.image.width)
        total = predictor.count_tiles(size, picture)
        numbers = count()

        def report_tiles(runner: Runner) -> Runner:
            def run_tile(tile: Pixels) -> Logits:
                job.report_progress(next(numbers) / total)
                return runner(tile)

            return run_tile

        result = predict_any(predictor.wrap_runners(report_tiles), picture)
        self.metrics.pixels.labels(name).inc(math.prod(size))
        return result

    async def handle(self, request: Request, params: SegmentParams) -> Response:
        """The whole of POST /v1/segment."""
        check_single(request.query_params.multi_items())
        kind = choose_format(params, request.headers.get("accept", "*/*"))
        name = next(iter(self.queues)) if params.model is None else params.model
        queue = self.get_queue(name)
        predictor = self.predictors[name]
        check_class_names(params, predictor.classes.names)
        if isinstance(predictor, LayerPredictor):
            kind = choose_layer_format(params, kind, predictor.classes.names)

        def work(data: bytes, job: Job) -> Response:
            result = self.segment(name, data, job)
            notes = describe_notes(result)
            headers = {NOTES_HEADER: "; ".join(notes)} if notes else None
            if isinstance(result, LayerResult):
                body = encode_layers(apply_layer_params(result, params), params, kind, name)
            else:
                body = encode(apply_params(result, params), params, kind, name)
            return Response(body, media_type=MEDIA_TYPES[kind], headers=headers)

        with queue.acquire(body_size_limit(request, self.settings)) as job:
            try:
                async with asyncio.timeout(self.settings.deadline):
                    data = await read_upload(request, self.settings)
                    await asyncio.to_thread(check_header, data, self.settings)
                    return await _await_result(request, job.start(partial(work, data, job)))
            except TimeoutError as error:
                raise self._deadline_error(job) from error

    def _deadline_error(self, job: Job) -> ApiError:
        message = f"not done within {self.settings.deadline:g} s"
        if job.future is None:
            return ApiError(408, "upload_too_slow", message)
        return ApiError(504, "deadline_passed", message)


async def _await_result(request: Request, future: Future[Response]) -> Response:
    """The result, or ClientDisconnect as soon as the client has left."""
    # the body is read: all that can still come is the end of the connection
    disconnect: asyncio.Future[Any] = asyncio.ensure_future(request.receive())
    result = asyncio.wrap_future(future)
    try:
        await asyncio.wait({disconnect, result}, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise ClientDisconnect
        return result.result()
    finally:
        disconnect.cancel()
        result.cancel()
