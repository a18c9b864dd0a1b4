"""Masks follow the journal: a thread writes them a moment after the last stroke."""

import time

from pixelwise.errors import PixelwiseError
from pixelwise.labelling.background import BackgroundThread
from pixelwise.labelling.session import Session
from pixelwise.labelling.strokes import Stroke

DELAY = 2.0
# After so long it is tried again to write what could not be written.
_RETRY = 10.0


class MaskWriter(BackgroundThread):
    """Follows a session; `error` says why the masks on the disk are behind, and is empty
    otherwise. Masks that are behind when it is closed are the session's to write.
    """

    def __init__(self, session: Session, delay: float = DELAY) -> None:
        super().__init__("mask writer")
        self.error = ""
        self._session = session
        self._delay = delay
        self._due: float | None = time.monotonic()
        session.listeners.append(self._notice)
        self._start()

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
