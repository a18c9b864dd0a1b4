"""Frames to a film, by ffmpeg, with the times and the sound of the film they come from; or, to
standard output, as they are.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ConfigError, OutputError
from pixelwise.io.atomic import atomic
from pixelwise.io.ffmpeg import Ffmpeg, keep_times
from pixelwise.io.matroska import SECOND, frame_header, stream_header
from pixelwise.io.read_film import STANDARD, TICKS, FilmFrame, FilmReader

# The endings of films that are written, with ffmpeg's name of the format.
WRITTEN = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}

# Even sides, as most players want, and the colours of HD, by name: none is left to guess.
_PICTURE = (
    "format=rgb24,pad=ceil(iw/2)*2:ceil(ih/2)*2,setsar={aspect},"
    "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
)
_COLOURS = (
    *("-colorspace", "bt709", "-color_primaries", "bt709"),
    *("-color_trc", "bt709", "-color_range", "tv"),
)
# VP9 by quality: by default it is a bit rate far too low.
_CODEC = {".webm": ("-b:v", "0", "-crf", "31")}


def check_written(path: str) -> None:
    """Raises ConfigError for a film of a kind that is not written."""
    if path != STANDARD and Path(path).suffix.lower() not in WRITTEN:
        raise ConfigError(
            f"--out {path}: films are written as {', '.join(WRITTEN)}; name it so, or name a "
            "folder for a mask a frame"
        )


class FilmWriter:
    """Takes frames of one size, to a file at `path` whose name ends as `suffix`, or to standard
    output where `path` is None.

    film: where the frames come from; a file gets its sound, title and chapters too. Raises
    OutputError where ffmpeg fails, whoever reads standard output has ended, or a frame has another
    size than the first.
    """

    def __init__(self, path: Path | None, suffix: str, film: FilmReader) -> None:
        self._path = path
        self._suffix = suffix
        self._film = film
        self._ffmpeg: Ffmpeg | None = None
        self._shape: tuple[int, ...] = ()
        self._begin = 0

    def write(self, frame: FilmFrame, rgb: NDArray[np.uint8]) -> None:
        """Add the picture (H, W, 3) made of a frame, at the frame's time."""
        sink = self._open(frame, rgb) if not self._shape else self._sink
        if rgb.shape != self._shape:
            height, width, _ = rgb.shape
            raise OutputError(
                f"frame {frame.number + 1} has {height} x {width} pixels, those before "
                f"{self._shape[0]} x {self._shape[1]}: a film has one size; give a folder as --out"
            )
        time = (frame.time - self._begin) * SECOND // TICKS
        lasts = self._film.facts.step * SECOND // TICKS
        self._send(sink, frame_header(time, lasts, rgb.nbytes), np.ascontiguousarray(rgb).data)

    def close(self) -> None:
        """End the film. Raises OutputError where ffmpeg could not write it."""
        if self._ffmpeg is None:
            return
        with self._ffmpeg as program:
            try:
                program.input.close()
            except OSError as error:
                raise self._failure() from error
            if program.wait():
                raise self._failure()

    def stop(self) -> None:
        """End without a film."""
        if self._ffmpeg is not None:
            self._ffmpeg.__exit__()

    @property
    def _sink(self) -> IO[bytes]:
        return sys.stdout.buffer if self._ffmpeg is None else self._ffmpeg.input

    def _open(self, frame: FilmFrame, rgb: NDArray[np.uint8]) -> IO[bytes]:
        self._shape = rgb.shape
        self._begin = frame.time
        if self._path is not None:
            self._ffmpeg = Ffmpeg(self._arguments(self._path), stdin=subprocess.PIPE)
        height, width, _ = rgb.shape
        self._send(self._sink, stream_header(height, width))
        return self._sink

    def _arguments(self, path: Path) -> list[str]:
        # ffmpeg lets each file begin at 0: the picture may begin later than the sound
        arguments = ["-itsoffset", f"{self._begin / TICKS:.9f}"]
        arguments += ["-f", "matroska", "-i", "pipe:0"]
        sound = self._film.path
        if sound is not None:
            arguments += ["-i", f"file:{sound}", "-map", "0:v:0", "-map", "1:a?"]
            arguments += ["-map_metadata", "1", "-map_chapters", "1"]
            if self._suffix in (sound.suffix.lower(), ".mkv"):
                arguments += ["-c:a", "copy"]
        arguments += ["-vf", _PICTURE.format(aspect=self._film.facts.aspect), *_COLOURS]
        arguments += [*keep_times(), "-enc_time_base", f"1:{self._film.facts.time_base}"]
        arguments += _CODEC.get(self._suffix, ())
        return [*arguments, "-f", WRITTEN[self._suffix], "-y", f"file:{path}"]

    def _send(self, sink: IO[bytes], *parts: bytes | memoryview) -> None:
        try:
            for part in parts:
                sink.write(part)
            if self._ffmpeg is None:
                sink.flush()
        except OSError as error:
            raise self._failure() from error

    def _failure(self) -> OutputError:
        if self._ffmpeg is None:
            return OutputError(
                "what reads standard output ended before the film did; see what it says"
            )
        status = self._ffmpeg.wait()
        words = self._ffmpeg.last_words or f"exit status {status}"
        return OutputError(
            f"ffmpeg cannot write the film ({words}); try another ending than {self._suffix}, or "
            "give a folder as --out"
        )


@contextmanager
def open_film(out: str, film: FilmReader) -> Iterator[FilmWriter]:
    """A writer to the file `out`, which is put in place when the block ends well, or to standard
    output. Raises OutputError as FilmWriter.
    """
    if out == STANDARD:
        yield FilmWriter(None, "", film)
        return
    with atomic(Path(out)) as temp_path:
        writer = FilmWriter(temp_path, Path(out).suffix.lower(), film)
        try:
            yield writer
            writer.close()
        finally:
            writer.stop()
