import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pixelwise.errors import ConfigError, OutputError
from pixelwise.io.read_film import TICKS, FilmFrame, FilmReader
from pixelwise.io.write_film import check_written, open_film

Run = Callable[..., None]


def probe(path: Path) -> dict[str, Any]:
    """The first video stream, with its packets' times, and the kinds of all streams."""
    if not shutil.which("ffprobe"):
        pytest.skip("no ffprobe is on the PATH")
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_packets", "-of", "json"]
    answer = subprocess.run([*command, path], capture_output=True, check=True)
    data = json.loads(answer.stdout)
    video = next(s for s in data["streams"] if s["codec_type"] == "video")
    times = sorted(
        float(p["pts_time"]) for p in data["packets"] if p["stream_index"] == video["index"]
    )
    kinds = sorted(stream["codec_type"] for stream in data["streams"])
    return {**video, "times": times, "kinds": kinds}


def write(film: Path, out: Path | str, frames: Iterable[FilmFrame] = ()) -> None:
    """The frames, or else those of the film, as a film."""
    with FilmReader(str(film)) as reader, open_film(str(out), reader) as writer:
        for frame in frames or reader:
            writer.write(frame, frame.rgb)


@pytest.mark.parametrize("name", ["copy.mp4", "copy.mov", "copy.mkv"])
def test_times_size_sound_and_colours_are_kept(film: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    write(film, out)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    stream = probe(out)
    assert stream["kinds"] == ["audio", "video"]
    assert (stream["width"], stream["height"]) == (64, 48)
    assert stream["color_space"] == "bt709"
    tolerance = 1e-6 if name != "copy.mkv" else 6e-4  # its times are milliseconds
    begin = stream["times"][0]
    expected = [begin + number * 1001 / 30000 for number in range(12)]
    np.testing.assert_allclose(stream["times"], expected, atol=tolerance)
    with FilmReader(str(film)) as before, FilmReader(str(out)) as after:
        for one, other in zip(before, after, strict=True):
            assert np.abs(one.rgb.astype(int) - other.rgb).mean() < 6


def test_a_variable_rate_odd_sides_and_wide_pixels_are_kept(ffmpeg: Run, tmp_path: Path) -> None:
    source = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.4")
    select = "select='lt(mod(n,3),2)',format=rgb24,scale=33:31,setsar=4/3"
    ffmpeg(*source, "-vf", select, "-vsync", "vfr", "-c:v", "ffv1", tmp_path / "odd.mkv")
    write(tmp_path / "odd.mkv", tmp_path / "out.mp4")
    stream = probe(tmp_path / "out.mp4")
    np.testing.assert_allclose(stream["times"], [0, 0.04, 0.12, 0.16, 0.24, 0.28, 0.36], atol=1e-6)
    assert (stream["width"], stream["height"]) == (34, 32)
    assert stream["sample_aspect_ratio"] == "4:3"


def test_a_picture_that_begins_after_the_sound_stays_there(ffmpeg: Run, tmp_path: Path) -> None:
    picture = ("-itsoffset", "0.5", "-f", "lavfi", "-i", "testsrc2=size=32x32:duration=0.2")
    sound = ("-f", "lavfi", "-i", "sine=duration=1")
    ffmpeg(*picture, *sound, "-pix_fmt", "yuv420p", tmp_path / "late.mkv")
    write(tmp_path / "late.mkv", tmp_path / "out.mkv")
    before = probe(tmp_path / "late.mkv")["times"][0]
    assert probe(tmp_path / "out.mkv")["times"][0] == pytest.approx(before, abs=0.03)  # a frame
    assert before > 0.4


def test_standard_output_gets_frames_that_ffmpeg_reads(
    film: Path, ffmpeg: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=buffer))
    write(film, "-")
    monkeypatch.undo()
    (tmp_path / "raw.mkv").write_bytes(buffer.getvalue())
    with FilmReader(str(film)) as before, FilmReader(str(tmp_path / "raw.mkv")) as after:
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one.rgb, other.rgb)
            assert abs(one.time - other.time) <= 1


def test_whoever_ends_reading_standard_output_is_named(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.BytesIO):
        def write(self, _: Any) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=Closed()))
    with pytest.raises(OutputError, match="what reads standard output ended"):
        write(film, "-")


def test_other_kinds_of_films_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--out a\.avi: films are written as \.mp4"):
        check_written("a.avi")
    check_written("a.MP4")
    check_written("-")


def frame(number: int, shape: tuple[int, int, int] = (16, 16, 3)) -> FilmFrame:
    return FilmFrame(number, number * TICKS // 25, np.zeros(shape, np.uint8))


def test_a_frame_of_another_size_is_refused_and_nothing_is_left(film: Path, tmp_path: Path) -> None:
    frames = [frame(0), frame(1, (8, 16, 3))]
    with pytest.raises(OutputError, match="frame 2 has 8 x 16 pixels, those before 16 x 16"):
        write(film, tmp_path / "a.mp4", frames)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("reads", ["", "sys.stdin.buffer.read()"])
def test_an_ffmpeg_that_cannot_write_is_quoted_and_nothing_is_left(
    fake_ffmpeg: Callable[[str], None], tmp_path: Path, reads: str
) -> None:
    fake_ffmpeg(
        f"""
        if "-map" in sys.argv and "pipe:1" in sys.argv:
            print("[info] Stream #0:0: Video: h264, 25 fps, 25 tbn", file=sys.stderr)
        elif "-version" not in sys.argv:
            {reads or "pass"}
            print("[error] Unknown encoder 'libx264'", file=sys.stderr)
            sys.exit(1)
        """
    )
    (tmp_path / "a.mp4").write_bytes(b"film")
    (tmp_path / "out").mkdir()
    words = r"ffmpeg cannot write the film \(Unknown encoder 'libx264'\)"
    frames = [frame(number, (64, 64, 3)) for number in range(200)]
    with pytest.raises(OutputError, match=words):
        write(tmp_path / "a.mp4", tmp_path / "out/a.mp4", frames)
    assert not list((tmp_path / "out").iterdir())
