import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from pixelwise.cli.run_folders import latest_run, reserve_run_folder
from pixelwise.errors import ConfigError, OutputError


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pixelwise", "train", "data"])


def test_the_first_free_number_is_taken_and_an_empty_folder_goes(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with reserve_run_folder(runs) as run:
        assert run == runs / "1"
        assert run.is_dir()
        assert sys.argv[-2:] == ["--out", str(run)]
    assert not runs.exists()
    for number in (1, 3):
        (runs / str(number)).mkdir(parents=True)
    with reserve_run_folder(runs) as run:
        (run / "model").touch()
    assert run == runs / "2"
    assert run.is_dir()


def test_commands_that_begin_at_once_get_folders_of_their_own(tmp_path: Path) -> None:
    count = 8
    barrier = Barrier(count)

    def reserve(_: int) -> Path:
        barrier.wait()
        with reserve_run_folder(tmp_path / "runs") as run:
            barrier.wait()
            return run

    with ThreadPoolExecutor(count) as threads:
        runs = set(threads.map(reserve, range(count)))
    assert runs == {tmp_path / "runs" / str(number) for number in range(1, count + 1)}


def test_where_no_folder_can_be_chosen_out_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "runs"
    file.touch()
    with pytest.raises(OutputError, match="is a file; give a run folder with --out"):
        reserve_run_folder(file).__enter__()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="give --out, such as --out runs/1"):
        reserve_run_folder(tmp_path / "other").__enter__()


def test_the_latest_run_has_the_highest_number(tmp_path: Path) -> None:
    assert latest_run(tmp_path / "none") is None
    for name in ("9", "10", "first"):
        (tmp_path / name).mkdir()
    assert latest_run(tmp_path) == tmp_path / "10"
