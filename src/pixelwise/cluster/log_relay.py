"""What the processes of a training say, from wherever they are to the driver. It needs little, and
imports nothing.
"""


class LogRelay:
    """Carries what processes say to the driver, and why a training cannot be."""

    def __init__(self) -> None:
        self._lines = list[str]()
        self._refusal = ""
        self._stopped = False

    def say(self, text: str) -> None:
        """Keep a line for the driver."""
        self._lines.append(text)

    def take(self) -> list[str]:
        """The lines since the last call."""
        lines = self._lines
        self._lines = []
        return lines

    def refuse(self, reason: str) -> None:
        """Starting anew would not help."""
        self._refusal = self._refusal or reason

    def end(self, stopped: bool) -> None:
        """The first process is through, maybe before its time."""
        self._stopped = stopped

    def ending(self) -> tuple[str, bool]:
        """Why the training cannot be, if so, and whether it was stopped early."""
        return self._refusal, self._stopped
