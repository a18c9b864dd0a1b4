"""The server is killed while two people paint, and started again: nothing is lost."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import create_server
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.labelling.project import Project
from pixelwise.labelling.strokes import UNLABELLED

from .test_page import DESKTOP, PHONE, Visit, chromium, wait_for

__all__ = ["chromium"]


@pytest.fixture
def start(photos: Path, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts `pixelwise label` on a port that stays the same, in a process of its own."""
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "pixelwise", "label", str(photos), "--port", str(port)]
    command += ["--out", str(tmp_path / "labels"), "--minutes", "0"]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "PORT": str(port)}
    processes: list[subprocess.Popen[bytes]] = []

    def started() -> subprocess.Popen[bytes]:
        classes = [] if processes else ["--classes", "grass,sky"]
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [*command, *classes], stdout=log, stderr=log, env=environment
            )
        processes.append(process)
        process.port = port  # type: ignore[attr-defined]
        wait_for(lambda: b"labelling on" in (tmp_path / "log").read_bytes())
        (tmp_path / "log").write_bytes(b"")
        return process

    yield started
    for process in processes:
        process.kill()
        process.wait()


def journal(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "strokes.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_server_loses_nothing_of_a_desktop_and_a_phone(
    chromium: Any, start: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    process = start()
    visits = [Visit(chromium, process.port, **size) for size in (DESKTOP, PHONE)]  # type: ignore[attr-defined]
    visits[0].page.keyboard.press("2")
    visits[0].stroke((0.3, 0.1), (0.7, 0.1))
    visits[1].touch((0.3, 0.75), (0.7, 0.75))
    folder = tmp_path / "labels"
    wait_for(lambda: sum(row["kind"] == "stroke" for row in journal(folder)) == 2)
    # one of them is in the middle of a stroke
    page = visits[0].page
    page.mouse.move(*visits[0].place(0.3, 0.3))
    page.mouse.down()
    process.send_signal(signal.SIGKILL)
    process.wait()
    page.mouse.move(*visits[0].place(0.7, 0.3), steps=3)
    page.mouse.up()
    visits[1].touch((0.3, 0.6), (0.7, 0.6))
    for visit in visits:
        visit.page.get_by_text("The server cannot be reached").wait_for()
    start()
    wait_for(lambda: sum(row["kind"] == "stroke" for row in journal(folder)) == 4)
    mask = folder / "masks/a.png"

    def is_written() -> bool:
        drawn = Project(journal(folder)).photos["a.png"].draw()
        expected = np.where(drawn == UNLABELLED, VOID, drawn)
        return mask.exists() and bool((np.asarray(Image.open(mask)) == expected).all())

    wait_for(is_written)
    for visit in visits:
        visit.page.reload()
        visit.page.locator("main[aria-busy=false]").wait_for()
        visit.page.locator("[data-part=photos]").get_by_text("4 ✎").wait_for()
        assert visit.errors == []
    assert sum(row["kind"] == "stroke" for row in journal(folder)) == 4
