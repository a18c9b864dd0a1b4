"""Run folders that are numbered where no --out is given: runs/1, runs/2, and so on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from pixelwise.errors import ConfigError, OutputError

RUNS = Path("runs")


@contextmanager
def reserve_run_folder(parent: Path = RUNS) -> Iterator[Path]:
    """Make the first of `parent`/1, /2 and so on that is free, for the block; removed after it if
    nothing came into it.

    Commands that begin at once get folders of their own. Raises OutputError where none can be made,
    ConfigError in one of several processes that were started from outside: each would take its own.
    """
    _check_alone()
    run = _make_numbered(parent)
    try:
        # Processes that this one starts repeat its command: they train in the same folder.
        sys.argv += ["--out", str(run)]
        yield run
    finally:
        for folder in (run, parent):
            with suppress(OSError):  # it holds something
                folder.rmdir()


def latest_run(parent: Path = RUNS) -> Path | None:
    """The numbered folder with the highest number; None where there is none."""
    numbers = [int(path.name) for path in parent.glob("*") if path.name.isdecimal()]
    return parent / str(max(numbers)) if numbers else None


def _make_numbered(parent: Path) -> Path:
    for number in count(1):
        run = parent / str(number)
        try:
            parent.mkdir(parents=True, exist_ok=True)
            run.mkdir()
        except FileExistsError:
            if parent.is_dir():
                continue
            raise OutputError(f"{parent} is a file; give a run folder with --out") from None
        except OSError as error:
            raise OutputError(
                f"cannot make the folder {run}: {error.strerror or error}; give another with --out"
            ) from error
        return run
    raise AssertionError  # numbers do not end


def _check_alone() -> None:
    several = int(os.environ.get("SLURM_NTASKS", "1")) > 1
    if several or any(name in os.environ for name in ("RANK", "LOCAL_WORLD_SIZE")):
        raise ConfigError(
            "several processes train one model here, each of which would choose a folder: give "
            "--out, such as --out runs/1"
        )
