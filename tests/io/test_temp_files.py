import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pixelwise.io.atomic import atomic
from pixelwise.io.temp_files import find_temp_files, temp_folder


def test_folders_of_killed_processes_are_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os\nfrom pathlib import Path\nfrom pixelwise.io.temp_files import "
        "temp_folder\n"
        "made = temp_folder()\n(Path(made.name) / 'a').mkdir()\nprint(made.name, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    left = Path(done.stdout.strip())
    assert left.is_dir()
    gone, node, end = re.fullmatch(r"pixelwise-(\d+)-(\w+)-(\w+)", left.name).groups()  # type: ignore[union-attr]
    (tmp_path / "precious").mkdir()
    (tmp_path / f"pixelwise-{gone}-{node}-{'l' * 8}").symlink_to(tmp_path / "precious")
    (tmp_path / f"pixelwise-{gone}-{node}-{'f' * 8}").touch()
    for name in (
        f"pixelwise-{os.getpid()}-{node}-{end}",
        f"pixelwise-{gone}-{node}2-{end}",
        f"pixelwise-{gone}-{node}-{end}-mine",
        f"my-pixelwise-{gone}-{node}-{end}",
        "pixelwise-results",
    ):
        (tmp_path / name).mkdir()
    before = {path.name for path in tmp_path.iterdir()}
    with temp_folder() as made:
        assert {path.name for path in tmp_path.iterdir()} == before - {left.name} | {
            Path(made).name
        }
        assert Path(made).name.startswith(f"pixelwise-{os.getpid()}-{node}-")


def test_drafts_are_known_by_the_names_of_what_they_were_to_be(tmp_path: Path) -> None:
    names = ["a.png", "a.b_confidence.png", "ä" * 120 + ".png", ".pixelwise.json"]
    drafts = []
    for name in [*names, "b.png", "a.tif"]:
        with atomic(tmp_path / f"{name}") as draft:
            drafts.append(draft.name)
            draft.touch()
    others = [
        "a.png",
        ".a.png",
        ".a.12345678",
        ".a.toolong99.png",
        ".a.SHOUTING.png",
        ".other.abcdefgh.png",
    ]
    assert find_temp_files(names, [*drafts, *others]) == drafts[:4]
