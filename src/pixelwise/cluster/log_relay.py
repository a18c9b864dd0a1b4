"""What the processes of a training log, from wherever they are to the driver. It needs little, and
imports nothing.
"""


class LogRelay:
    """Carries lines from processes to the driver, and why a training cannot be."""

    def __init__(self) -> None:
        self._lines = list[str]()
        self._failure = ""
        self._stopped = False

    def log(self, text: str) -> None:
        """Keep a line for the driver."""
        self._lines.append(text)

    def take_lines(self) -> list[str]:
        """The lines since the last call."""
        lines = self._lines
        self._lines = []
        return lines

    def fail(self, reason: str) -> None:
        """Starting again would not help."""
        self._failure = self._failure or reason

    def finish(self, stopped: bool) -> None:
        """The first process is through, maybe before its time."""
        self._stopped = stopped

    def outcome(self) -> tuple[str, bool]:
        """Why the training cannot be, if so, and whether it was stopped early."""
        return self._failure, self._stopped
