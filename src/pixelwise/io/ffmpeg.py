"""The program ffmpeg of this machine: found, started, listened to. It alone knows of codecs."""

import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from threading import Thread
from typing import IO, Self

from pixelwise.errors import ConfigError

# A line of ffmpeg: maybe who speaks, the level, the text.
_LINE = re.compile(r"(?:\[[^]]+ @ \w+\] )?\[(\w+)\] (.*)")
_FAILURES = ("error", "fatal", "panic")
_VERSION = re.compile(r"ffmpeg version n?(\d+)\.(\d+)")

# That which keeps each frame with its own time; older ones call it -vsync.
_FPS_MODE_SINCE = (5, 1)

# Receives the level and the text of a line; this level when there are no more.
END = "end"
OnLine = Callable[[str, str], None]


def find_ffmpeg() -> str:
    """The path of ffmpeg. Raises ConfigError where there is none."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise ConfigError(
            "no ffmpeg is on the PATH, and it is what reads and writes films here; get it with "
            "`apt install ffmpeg`, `brew install ffmpeg` or `winget install ffmpeg`, or from "
            "ffmpeg.org"
        )
    return program


def keep_times() -> tuple[str, str]:
    """The option by which no frame is left out or doubled for the sake of an even rate."""
    return ("-fps_mode" if _version(find_ffmpeg()) >= _FPS_MODE_SINCE else "-vsync", "passthrough")


@lru_cache(maxsize=8)
def _version(program: str) -> tuple[int, int]:
    """(major, minor) of a release; a high one where it does not tell, as builds of the day are
    new.
    """
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
        match = _VERSION.match(answer.stdout)
        if match is not None:
            return int(match[1]), int(match[2])
    return (1_000, 0)


class Ffmpeg:
    """An ffmpeg at work with `arguments`, whose pipes are those of `process`.

    on_line: called in a thread of its own with each line that ffmpeg prints, its level first. As a
    context it is stopped at the end of the block, unless it has ended by itself. Raises ConfigError
    where there is no ffmpeg, or it cannot be started.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
        on_line: OnLine = lambda _level, _text: None,
    ) -> None:
        program = find_ffmpeg()
        command = [program, "-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info"]
        try:
            self.process = subprocess.Popen(
                [*command, *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for this process, which then stops ffmpeg
            )
        except OSError as error:
            raise ConfigError(
                f"{program} cannot be started ({error.strerror or error}); install ffmpeg again"
            ) from error
        self.failures = deque[str](maxlen=20)
        self._last_line = ""
        self._on_line = on_line
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was still to be written to one that has ended
                    pipe.close()

    def wait(self) -> int:
        """The exit status, once all that it prints has been heard."""
        status = self.process.wait()
        self._listener.join()
        return status

    @property
    def last_words(self) -> str:
        """Its last line of an error, or else the last of all."""
        return self.failures[-1] if self.failures else self._last_line

    @property
    def input(self) -> IO[bytes]:
        """Its standard input, where that is a pipe."""
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def output(self) -> IO[bytes]:
        """Its standard output, where that is a pipe."""
        assert self.process.stdout is not None
        return self.process.stdout

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                text = line.decode(errors="replace").strip()
                match = _LINE.fullmatch(text)
                level = match[1] if match else ""
                text = match[2].strip() if match else text
                if level in _FAILURES:
                    self.failures.append(text)
                if text:
                    self._last_line = text
                self._on_line(level, text)
        self._on_line(END, "")
