import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pixelwise.io.matroska import SECOND, frame_header, stream_header


def read_element(data: bytes) -> tuple[str, int, bytes]:
    """ID, length and the rest, by the rules of EBML: both begin with their own length in zeros."""
    width = 9 - data[0].bit_length()
    name = data[:width].hex().upper()
    size = 9 - data[width].bit_length()
    length = int.from_bytes(data[width : width + size], "big") & ~(1 << 7 * size)
    return name, length, data[width + size :]


def test_lengths_fit_what_they_hold() -> None:
    name, length, rest = read_element(stream_header(3, 5))
    assert name == "1A45DFA3"
    name, length, rest = read_element(rest[length:])
    assert name == "18538067"
    assert length == (1 << 56) - 1  # open: nobody knows how many frames come
    for expected in ("1549A966", "1654AE6B"):
        name, length, rest = read_element(rest)
        assert name == expected
        rest = rest[length:]
    assert rest == b""
    pixels = bytes(45)
    name, length, rest = read_element(frame_header(7, 8, len(pixels)) + pixels)
    assert name == "1F43B675"
    assert length == len(rest)


def test_ffmpeg_reads_the_same_pixels_at_the_same_times(
    ffmpeg: Callable[..., None], tmp_path: Path
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3), np.uint8)
    times = (0, SECOND // 3, SECOND)
    stream = stream_header(4, 6)
    for time, frame in zip(times, frames, strict=True):
        stream += frame_header(time, SECOND // 10, frame.nbytes) + frame.tobytes()
    path = tmp_path / "raw.mkv"
    path.write_bytes(stream)
    ffmpeg("-i", path, "-f", "rawvideo", "-fps_mode", "passthrough", tmp_path / "pixels")
    pixels = np.fromfile(tmp_path / "pixels", np.uint8)
    np.testing.assert_array_equal(pixels.reshape(frames.shape), frames)
    if shutil.which("ffprobe"):
        command = ["ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0"]
        lines = subprocess.run([*command, path], capture_output=True, text=True, check=True)
        np.testing.assert_allclose(
            [float(line) for line in lines.stdout.split()], [0, 1 / 3, 1], atol=1e-6
        )
