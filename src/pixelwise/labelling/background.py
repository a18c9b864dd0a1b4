"""A thread that works beside the page until it is closed."""

from abc import ABC, abstractmethod
from threading import Condition, Thread


class BackgroundThread(ABC):
    """Its `_run` returns once `_closed` is set, which `_condition` tells it. `_start` comes last in
    a subclass's own initialisation.
    """

    def __init__(self, name: str) -> None:
        self._closed = False
        self._condition = Condition()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def close(self) -> None:
        """End the thread; what it has in hand it finishes."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    def _start(self) -> None:
        self._thread.start()

    @abstractmethod
    def _run(self) -> None:
        """What the thread does."""
