import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelwise.errors import ConfigError
from pixelwise.io.ffmpeg import END, Ffmpeg, find_ffmpeg, keep_times


def test_without_an_ffmpeg_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"no ffmpeg is on the PATH.*apt install ffmpeg"):
        find_ffmpeg()


def test_one_that_does_not_start_is_named(
    fake_ffmpeg: Callable[[str], None], tmp_path: Path
) -> None:
    fake_ffmpeg("")
    (tmp_path / "bin/ffmpeg").write_text("#!/there/is/no/such/program\n")
    with pytest.raises(ConfigError, match="cannot be started"):
        Ffmpeg([])


def test_lines_are_heard_with_their_levels_and_the_last_failure_is_kept(
    fake_ffmpeg: Callable[[str], None],
) -> None:
    fake_ffmpeg(
        """
        print("[info] Input #0", file=sys.stderr)
        print("[mov,mp4 @ 0x55d0] [error] moov atom not found", file=sys.stderr)
        print("[fatal] film.mp4: no good", file=sys.stderr)
        print("[info] bye", file=sys.stderr)
        sys.exit(3)
        """
    )
    lines = list[tuple[str, str]]()
    with Ffmpeg([], on_line=lambda level, text: lines.append((level, text))) as program:
        assert program.wait() == 3
    assert lines == [
        ("info", "Input #0"),
        ("error", "moov atom not found"),
        ("fatal", "film.mp4: no good"),
        ("info", "bye"),
        (END, ""),
    ]
    assert program.last_words == "film.mp4: no good"


def test_without_a_failure_the_last_line_is_what_it_said(
    fake_ffmpeg: Callable[[str], None],
) -> None:
    fake_ffmpeg('print("Illegal instruction\\n", file=sys.stderr)')
    with Ffmpeg([]) as program:
        program.wait()
    assert program.last_words == "Illegal instruction"


def test_it_is_stopped_at_the_end_of_the_block(fake_ffmpeg: Callable[[str], None]) -> None:
    fake_ffmpeg("import time\ntime.sleep(60)")
    with Ffmpeg([], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.process.poll() is None
    assert program.process.poll() is not None
    assert program.input.closed
    assert program.output.closed


@pytest.mark.parametrize(
    ("version", "option"),
    [
        ("ffmpeg version 4.4.2-0ubuntu0", "-vsync"),
        ("ffmpeg version n5.0", "-vsync"),
        ("ffmpeg version 5.1.9-0+deb12u1", "-fps_mode"),
        ("ffmpeg version 8.0", "-fps_mode"),
        ("ffmpeg version N-118000-g1234567", "-fps_mode"),
        ("", "-fps_mode"),
    ],
)
def test_the_option_that_keeps_times_is_that_of_the_version(
    version: str, option: str, fake_ffmpeg: Callable[[str], None]
) -> None:
    fake_ffmpeg(f"print({version!r})")
    assert keep_times() == (option, "passthrough")
