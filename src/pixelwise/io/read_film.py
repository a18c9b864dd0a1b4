"""A film frame by frame, as ffmpeg decodes it: upright, in RGB, each with its time."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ImageError
from pixelwise.io.ffmpeg import END, Ffmpeg, keep_times
from pixelwise.io.y4m import copy_film

# The endings of films, in lower case. GIF and WebP are pictures that have frames (`io.frames`).
FILM_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".ogv"),
    *(".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".mxf", ".y4m"),
)

# The name of standard input and output.
STANDARD = "-"

# Times count these parts of a second: whole numbers for every usual frame rate and time base.
TICKS = 720_000

# Frames may be fewer than the film's header lets expect by so much before something is missing.
_SLACK_FRAMES = 2
_SLACK_SHARE = 0.02

_STREAM = re.compile(r"Stream #\d.*?: Video: (?!.*\(attached pic\))(.*)")
_DURATION = re.compile(r"Duration: (\d+):(\d+):([\d.]+)")
_FRAME = re.compile(r"frame:\d+\s+pts:(\S+).*")
_NO_TIME = "NOPTS"

# How often, a tenth of a second apart, a frame's time is waited for.
_PATIENCE = 50


def is_film(name: str) -> bool:
    """Whether a path is taken for a film, or standard input, by its name."""
    return name == STANDARD or name.lower().endswith(FILM_SUFFIXES)


@dataclass(frozen=True)
class FilmFrame:
    """number: from 0. time: in TICKS from the film's beginning. rgb: (H, W, 3) uint8."""

    number: int
    time: int
    rgb: NDArray[np.uint8]


@dataclass
class FilmFacts:
    """What a film's header says. frames: how many, about; 0 where it does not tell. time_base: in
    how many parts its times count a second. step: TICKS from frame to frame, mostly. aspect: of a
    pixel, width / height, as text.
    """

    frames: int = 0
    time_base: int = 90_000
    step: int = TICKS // 25
    aspect: str = "1/1"


class FilmReader:
    """The frames of a film, of which ffmpeg decodes a few ahead; to be used as a context.

    `damage` says after the last one why frames are missing;
    empty where none are. Raises ConfigError without an ffmpeg, ImageError for a film that is not
    there or has no frame that can be read.
    """

    def __init__(self, film: str) -> None:
        self._film = film
        self._name = "standard input" if film == STANDARD else film
        self._facts: FilmFacts | None = None
        self.damage = ""
        self._duration = 0.0
        self._has_header = Event()
        self._times = Queue[int | None]()
        self._has_ended = False
        self._is_cut = False

    def __enter__(self) -> Self:
        if self._film != STANDARD and not Path(self._film).is_file():
            raise ImageError(f"{self._film}: no such film; give the path of a video file")
        # what goes through this process is counted: ffmpeg says nothing of a cut frame of Y4M
        source = self._open_source()
        self._ffmpeg = Ffmpeg(
            [
                *("-i", "pipe:0" if source else f"file:{self._film}"),
                *("-map", "0:V:0"),  # V: not the picture on a sound file's cover
                # the second and fourth print each frame's time, in parts that the third makes equal
                "-vf",
                "metadata=mode=add:key=frame:value=1,"
                f"settb=1/{TICKS},metadata=mode=print:key=frame",
                *keep_times(),
                *("-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "pipe:1"),
            ],
            stdin=subprocess.PIPE if source else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            on_line=self._hear,
        )
        if source:
            self._pump = Thread(target=self._feed, args=(source,), daemon=True)
            self._pump.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ffmpeg.__exit__()

    @property
    def facts(self) -> FilmFacts:
        """What the header says, once it is read. Raises ImageError where there is none."""
        self._has_header.wait()
        if self._facts is None:
            status = self._ffmpeg.wait()
            if status:
                raise self._unreadable(status)
            self._facts = FilmFacts()
        return self._facts

    @property
    def path(self) -> Path | None:
        """The file that it is; None of standard input."""
        return None if self._film == STANDARD else Path(self._film)

    def __iter__(self) -> Iterator[FilmFrame]:
        number = 0
        time = -self.facts.step
        while (rgb := self._read_picture()) is not None:
            earlier = time
            heard = self._next_time()
            # times only ever grow, whatever the film says
            time = earlier + self.facts.step if heard is None else max(heard, earlier + 1, 0)
            yield FilmFrame(number, time, rgb)
            number += 1
        self._end(number)

    def _open_source(self) -> IO[bytes] | None:
        if self._film == STANDARD:
            return sys.stdin.buffer
        return Path(self._film).open("rb") if self._film.lower().endswith(".y4m") else None

    def _feed(self, source: IO[bytes]) -> None:
        with suppress(OSError, ValueError):  # ffmpeg has ended, or was stopped
            self._is_cut = copy_film(source, self._ffmpeg.input)
        with suppress(OSError, ValueError):
            self._ffmpeg.input.close()
        if self._film != STANDARD:
            source.close()

    def _hear(self, level: str, text: str) -> None:
        """Take what ffmpeg prints: the header, then the time of each frame."""
        if level == END:
            self._has_ended = True
            self._has_header.set()
            return
        frame = _FRAME.fullmatch(text)
        if frame is not None:
            self._times.put(None if frame[1] == _NO_TIME else int(frame[1]))
            return
        if not self._has_header.is_set():
            self._read_header(text)

    def _read_header(self, text: str) -> None:
        duration = _DURATION.match(text)
        if duration is not None:
            hours, minutes, seconds = map(float, duration.groups())
            self._duration = 3600 * hours + 60 * minutes + seconds
        stream = _STREAM.match(text)
        if stream is not None:
            self._facts = _read_facts(stream[1], self._duration)
            self._has_header.set()

    def _next_time(self) -> int | None:
        """What was heard of the next frame's time, which comes before the frame; None where there
        is none.
        """
        for _ in range(_PATIENCE):
            with suppress(Empty):
                return self._times.get(timeout=0 if self._has_ended else 0.1)
        return None

    def _read_picture(self) -> NDArray[np.uint8] | None:
        """The next picture of ffmpeg's PPM stream, None behind the last. Its header is three
        lines.
        """
        output = self._ffmpeg.output
        if not output.readline():
            return None
        width, height = map(int, output.readline().split())
        output.readline()
        rgb = np.empty((height, width, 3), np.uint8)
        pixels: Any = memoryview(rgb).cast("B")  # type: ignore[arg-type]  # numpy's stubs
        source: Any = output
        if source.readinto(pixels) < rgb.nbytes:
            return None
        return rgb

    def _end(self, count: int) -> None:
        """Say what is wrong with a film of so many frames. Raises ImageError where it has none."""
        status = self._ffmpeg.wait()
        if count == 0:
            raise self._unreadable(status)
        words = self._words(status)
        expected = self.facts.frames
        missing = expected - count > max(_SLACK_FRAMES, _SLACK_SHARE * expected)
        has_failed = bool(self._ffmpeg.failures) and (missing or not expected)
        if self._film == STANDARD or self._film.lower().endswith(".y4m"):
            self._pump.join(timeout=1)
        if self._is_cut:
            self.damage = (
                f"{self._name}: ends in the middle of frame {count + 1}; the {count} before it "
                "are labelled, see why what wrote it stopped"
            )
        elif status or has_failed:
            about = f" of about {expected}" if missing else ""
            self.damage = (
                f"{self._name}: is cut or damaged, only {count}{about} frames can be read "
                f"(ffmpeg: {words}); get it again, or go on with these"
            )

    def _words(self, status: int) -> str:
        """What ffmpeg says of its failure."""
        words = self._ffmpeg.last_words.removeprefix(f"file:{self._film}: ")
        return words or f"exit status {status}"

    def _unreadable(self, status: int) -> ImageError:
        if any("matches no streams" in line for line in self._ffmpeg.failures):
            return ImageError.of_file(
                self._name, "has no video stream", "give a film; sound has nothing to label"
            )
        advice = "see whether it plays, or get it again"
        if self._film == STANDARD:
            advice = "give a film that needs no seeking, such as `ffmpeg -i FILM -f yuv4mpegpipe -`"
        reason = f"ffmpeg cannot read it ({self._words(status)})"
        return ImageError.of_file(self._name, reason, advice)


def _read_facts(stream: str, duration: float) -> FilmFacts:
    """What ffmpeg's line on a video stream says."""
    facts = FilmFacts()
    rate = _number(stream, "fps")
    if rate:
        facts.frames = round(rate * duration)
        facts.step = round(TICKS / rate)
    base = _number(stream, "tbn")
    if base:
        # 29.97 stands for 30000/1001
        facts.time_base = round(base) if base.is_integer() else 1000 * round(base * 1.001)
    aspect = re.search(r"\bSAR (\d+):(\d+)", stream)
    if aspect is not None and "0" not in aspect.groups():
        facts.aspect = f"{aspect[1]}/{aspect[2]}"
    return facts


def _number(stream: str, unit: str) -> float:
    """What stands before a unit, such as `30k tbn`; 0 where it does not."""
    match = re.search(rf"([\d.]+)(k?) {unit}\b", stream)
    return float(match[1]) * (1000 if match[2] else 1) if match else 0.0
