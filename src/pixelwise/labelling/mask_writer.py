"""Masks follow the journal: a thread writes them a moment after the last stroke."""

import time
from threading import Condition, Thread

from pixelwise.errors import PixelwiseError
from pixelwise.labelling.session import Session
from pixelwise.labelling.strokes import Stroke

DELAY = 2.0
# After so long it is tried again to write what could not be written.
_RETRY = 10.0


class MaskWriter:
    """Follows a session; `error` says why the masks on the disk are behind, and is empty
    otherwise.
    """

    def __init__(self, session: Session, delay: float = DELAY) -> None:
        self.error = ""
        self._session = session
        self._delay = delay
        self._due: float | None = time.monotonic()
        self._closed = False
        self._condition = Condition()
        session.listeners.append(self._notice)
        self._thread = Thread(target=self._run, name="mask writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; masks that are behind are the session's to write."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    def _notice(self, _: str, __: int, ___: Stroke | None) -> None:
        with self._condition:
            self._due = time.monotonic() + self._delay
            self._condition.notify_all()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._closed and not self._is_due():
                    self._condition.wait(None if self._due is None else self._delay)
                if self._closed:
                    return
                self._due = None
            try:
                self._session.write_masks()
                self.error = ""
            except PixelwiseError as error:
                self.error = str(error)
                self._due = time.monotonic() + _RETRY

    def _is_due(self) -> bool:
        return self._due is not None and time.monotonic() >= self._due
