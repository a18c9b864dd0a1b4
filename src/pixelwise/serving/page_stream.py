"""What the page's script reads while it waits: lines of JSON, as a job goes on."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial

from fastapi import Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pixelwise.errors import PixelwiseError
from pixelwise.serving.errors import ApiError
from pixelwise.serving.job_queue import Job, Lane
from pixelwise.serving.settings import Settings
from pixelwise.serving.upload import promised, read_bytes

Work = Callable[[bytes, Job], dict[str, object]]
_log = logging.getLogger(__name__)


class Lines(Response):
    """{"progress": 0 to 1} while `work` goes on in `lane`, then {"answer": ...} or {"error": ...}.

    The settings' deadline is for the upload, and then for each step: a large picture may take as
    long as it gets on.
    """

    def __init__(self, lane: Lane, settings: Settings, work: Work) -> None:
        self.lane = lane
        self.deadline = settings.deadline
        self.settings = settings
        self.work = work
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a place from the first byte of the upload to the last one of the answer, or until
        the visitor leaves.
        """
        request = Request(scope, receive)
        with self.lane.place(promised(request, self.settings)) as job:
            try:
                body = await asyncio.wait_for(read_bytes(request, self.settings), self.deadline)
            except TimeoutError as error:
                said = f"the file did not come within {self.deadline:g} s"
                raise ApiError(408, "upload_too_slow", said) from error
            lines = StreamingResponse(self._lines(body, job), media_type="application/x-ndjson")
            await lines(scope, receive, send)

    async def _lines(self, body: bytes, job: Job) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        news = asyncio.Queue[float | None]()
        job.told = lambda share: loop.call_soon_threadsafe(news.put_nowait, share)
        done = asyncio.wrap_future(job.start(partial(self._answer, body, job)))
        done.add_done_callback(lambda _: news.put_nowait(None))
        try:
            while (share := await asyncio.wait_for(news.get(), self.deadline)) is not None:
                yield _line(progress=share)
            yield await done
        except (PixelwiseError, ApiError) as error:
            yield _line(error={"message": str(error)})
        except TimeoutError:
            said = (
                f"nothing went on for {self.deadline:g} s: the server is too busy; try again later"
            )
            yield _line(error={"message": said})
        except Exception:
            _log.exception("a picture of the page")
            yield _line(error={"message": "something went wrong on the server; its log says what"})
        finally:
            done.cancel()

    def _answer(self, body: bytes, job: Job) -> str:
        return _line(answer=self.work(body, job))  # of megabytes: not in the event loop


def _line(**entry: object) -> str:
    return json.dumps(entry) + "\n"
