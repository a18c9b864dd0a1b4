import errno
import os
import resource
import stat
from pathlib import Path

import pytest

from pixelwise.errors import OutputError, unknown_choice_error
from pixelwise.io.atomic import atomic, atomic_folder, lock_folder, write_text


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with atomic(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / f"{'ü' * 125}a.txt"
    folder = tmp_path / "out" / ("f" * 255)
    with atomic(path) as draft:
        draft.write_text("x")
        assert draft.name.startswith(".üüü")
        assert draft.suffix == ".txt"
    with atomic_folder(folder, tmp_path / "in") as stage:
        (stage / "a").touch()
    assert (path.read_text(), [file.name for file in folder.iterdir()]) == ("x", ["a"])


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (1000, hard)
    )  # the kernel itself refuses to write more
    try:
        with pytest.raises(OutputError, match="no space left"):
            write_text(path, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"a\.txt.*choose a folder"):
        write_text(tmp_path / "file/a.txt", "x")


def test_other_errors_of_the_system_keep_their_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError, match="Read-only"):
        write_text(tmp_path / "a.txt", "x")


def test_an_unknown_name_comes_with_the_nearest_one() -> None:
    message = str(unknown_choice_error("decoder", "unett", ["unet", "linknet"]))
    assert message == "unknown decoder 'unett': choose one of linknet, unet; did you mean 'unet'?"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_folder_is_held_by_one_alone_and_is_gone_where_nothing_came_into_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "runs/a"
    with lock_folder(folder):
        with pytest.raises(OutputError, match="written by another command"), lock_folder(folder):
            pass
        assert folder.is_dir()
    assert not folder.exists()
    with lock_folder(folder):
        (folder / "run.json").touch()
    with lock_folder(folder):
        assert (folder / "run.json").is_file()
