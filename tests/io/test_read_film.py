import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.errors import ImageError
from pixelwise.io.read_film import STANDARD, TICKS, FilmFrame, FilmReader, is_film

Run = Callable[..., None]


def read(path: Path | str) -> tuple[list[FilmFrame], FilmReader]:
    with FilmReader(str(path)) as reader:
        return list(reader), reader


def cut(path: Path, share: float) -> Path:
    """The beginning of a file, beside it."""
    content = path.read_bytes()
    part = path.with_stem(f"{path.stem}_cut")
    part.write_bytes(content[: int(len(content) * share)])
    return part


def test_films_are_told_by_their_names() -> None:
    assert is_film("a/B.MP4")
    assert is_film("-")
    assert not is_film("a.gif")  # a picture of several frames
    assert not is_film("mp4")


def test_every_frame_comes_with_its_time(film: Path, ffmpeg: Run, tmp_path: Path) -> None:
    frames, reader = read(film)
    assert [frame.number for frame in frames] == list(range(12))
    assert [Fraction(frame.time, TICKS) for frame in frames] == [
        Fraction(1001 * number, 30000) for number in range(12)
    ]
    assert reader.facts.frames == 12
    assert reader.facts.time_base == 30000
    assert reader.damage == ""
    ffmpeg("-i", film, "-pix_fmt", "rgb24", "-f", "rawvideo", tmp_path / "pixels")
    pixels = np.fromfile(tmp_path / "pixels", np.uint8).reshape(12, 48, 64, 3)
    np.testing.assert_array_equal(np.stack([frame.rgb for frame in frames]), pixels)


def test_a_variable_frame_rate_is_kept(ffmpeg: Run, tmp_path: Path) -> None:
    # of every three frames at 25 a second the first and the second
    select = "select='lt(mod(n,3),2)'"
    source = ("-f", "lavfi", "-i", "testsrc2=size=32x32:rate=25:duration=0.4")
    ffmpeg(*source, "-vf", select, "-vsync", "vfr", "-pix_fmt", "yuv420p", tmp_path / "v.mp4")
    frames, _ = read(tmp_path / "v.mp4")
    assert [round(frame.time * 25 / TICKS) for frame in frames] == [0, 1, 3, 4, 6, 7, 9]


def test_a_rotated_film_stands_upright(film: Path, ffmpeg: Run, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg("-i", film, "-c", "copy", "-metadata:s:v", "rotate=90", turned)
    upright, _ = read(film)
    frames, _ = read(turned)
    if frames[0].rgb.shape == (48, 64, 3):
        pytest.skip("this ffmpeg writes the rotation in another way")
    assert frames[0].rgb.shape == (64, 48, 3)
    ways = [np.rot90(upright[0].rgb, turns).astype(int) for turns in (1, 3)]
    assert min(np.abs(way - frames[0].rgb).mean() for way in ways) < 3


def test_plain_frames_come_through_standard_input(
    film: Path, ffmpeg: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain.y4m"
    ffmpeg("-i", film, plain)
    content = plain.read_bytes()
    for data, count in ((content, 12), (content[:-1], 11)):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        frames, reader = read(STANDARD)
        assert len(frames) == count
        assert reader.path is None
        cut_words = "standard input: ends in the middle of frame 12; the 11 before"
        assert reader.damage[: len(cut_words)] == (cut_words if count == 11 else "")
    frames, reader = read(cut(plain, 0.5))
    assert "ends in the middle of frame" in reader.damage
    assert 0 < len(frames) < 12


def test_a_cut_film_is_read_up_to_there_and_says_so(film: Path, tmp_path: Path) -> None:
    copy = tmp_path / film.name
    copy.write_bytes(film.read_bytes())
    frames, reader = read(cut(copy, 0.6))
    assert 0 < len(frames) < 12
    assert f"only {len(frames)} of about 12 frames can be read (ffmpeg: " in reader.damage


def test_what_cannot_be_read_is_named_with_the_last_words_of_ffmpeg(
    film: Path, ffmpeg: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImageError, match=r"no\.mp4: no such film"):
        read(tmp_path / "no.mp4")
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(ImageError, match=r"text\.mp4: ffmpeg cannot read it \(Invalid data"):
        read(tmp_path / "text.mp4")
    ffmpeg("-i", film, "-vn", tmp_path / "sound.mp4")
    with pytest.raises(ImageError, match=r"sound\.mp4: has no video stream; give a film"):
        read(tmp_path / "sound.mp4")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO()))
    with pytest.raises(ImageError, match=r"standard input: .*; give a film that needs no seeking"):
        read(STANDARD)


def test_facts_of_what_is_no_film_are_an_error(ffmpeg: Run, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    with FilmReader(str(tmp_path / "text.mp4")) as reader, pytest.raises(ImageError):
        _ = reader.facts


# What an ffmpeg prints before its frames, and two of these; then it goes wrong.
FRAMES = """
print("[info] Input #0", file=sys.stderr)
print("[info]   Duration: 00:01:00.00, start: 0.0", file=sys.stderr)
print("[info]   Stream #0:0: Video: png, rgb24, 1x1, 90k tbr, 90k tbn (attached pic)", file=sys.stderr)
print("[info]   Stream #0:1(und): Video: h264, 2x1 [SAR 4:3 DAR 8:3], 29.97 fps, 29.97 tbn",
      file=sys.stderr)
for time in ("NOPTS", "48048"):
    print(f"[Parsed_metadata_2 @ 0x5] [info] frame:0    pts:{time}  pts_time:0", file=sys.stderr)
    sys.stdout.buffer.write(b"P6\\n2 1\\n255\\nabcdef")
sys.stdout.flush()
"""


def test_an_ffmpeg_that_fails_midway_is_quoted(
    fake_ffmpeg: Callable[[str], None], tmp_path: Path
) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(b"film")
    fake_ffmpeg(FRAMES + 'print("[fatal] out of memory", file=sys.stderr)\nsys.exit(1)')
    frames, reader = read(path)
    assert [frame.rgb.tobytes() for frame in frames] == [b"abcdef", b"abcdef"]
    # the first without a time begins at 0
    assert [frame.time for frame in frames] == [0, 48048]
    assert reader.facts.frames == round(29.97 * 60)
    assert reader.facts.time_base == 30000
    assert reader.facts.aspect == "4/3"
    assert "only 2 of about 1798 frames can be read (ffmpeg: out of memory)" in reader.damage


def test_a_picture_that_breaks_off_is_left_out(
    fake_ffmpeg: Callable[[str], None], tmp_path: Path
) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(b"film")
    fake_ffmpeg(FRAMES + 'sys.stdout.buffer.write(b"P6\\n2 1\\n255\\nabc")\nsys.exit(9)')
    frames, reader = read(path)
    assert len(frames) == 2
    assert reader.damage


def test_a_reader_that_is_left_early_stops_ffmpeg(film: Path) -> None:
    with FilmReader(str(film)) as reader:
        first = next(iter(reader))
        process = reader._ffmpeg.process
    assert first.number == 0
    assert process.poll() is not None
