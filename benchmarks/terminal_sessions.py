"""What each command prints in a terminal of 80 columns, one after the other, as a page.

python benchmarks/terminal_sessions.py --photos PHOTOS --out benchmarks/results/terminal.md

Data are drawn shapes (96 training images of 128 x 160) in a folder that is removed at the end;
PHOTOS holds photos for the bundled model. Progress bars are left out, as in a terminal that cannot move its cursor;
seconds are of the wall clock.
"""

import argparse
import contextlib
import os
import pty
import shlex
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from machine import provenance

from pixelwise.datasets.synthetic import write_shapes

TRAIN = "train data --epochs 4 --crop 96 128"
COMMANDS = (
    "",
    "--version",
    "models --find tf_efficientnet_lite*",
    "check data",
    "predict animals photos --out animals-masks --overlay",
    "train data --preview --epochs 4",
    f"{TRAIN}",
    f"{TRAIN} --size fast",
    "evaluate runs/1 data --report report",
    "compare runs/1 runs/2 --data data",
    "suspects runs/1 data",
    "predict runs/1 data/images/test --out masks --also objects",
    "export runs/1",
    "convert data data-coco --to coco",
    "next data/images/test --model runs/1",
    "explain transposed --out steps.png",
    "stylize data/images/test/000.jpg data/images/test/001.jpg --out styled.png --steps 10 --network tf_efficientnet_lite0",
    "train no-such-folder",
    "predict runs/1 no-such-photo.jpg",
    "train data --decoder unett",
    "help",
)
MOST_LINES = 60


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="commands that begin so")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    parts = ["# Terminal sessions", ""]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_shapes(place / "data")
        (place / "photos").symlink_to(options.photos.resolve())
        for words in COMMANDS:
            if options.only and not words.startswith(tuple(options.only)):
                continue
            parts += session(words, place)
            print("\n".join(parts[-1:]), flush=True)
    if options.out:
        command = f"python benchmarks/terminal_sessions.py {' '.join(sys.argv[1:])}"
        options.out.write_text("\n".join([parts[0], "", provenance(command), *parts[1:], ""]))


def session(words: str, place: Path) -> list[str]:
    """The command and what it prints, as a fenced block."""
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    start = time.monotonic()
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, 80))
    process = subprocess.Popen(
        [sys.executable, "-m", "pixelwise", *shlex.split(words)],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while block := os.read(ours, 65536):
            text += block
    os.close(ours)
    status = process.wait()
    seconds = time.monotonic() - start
    shown = text.decode(errors="replace").replace("\r\n", "\n").replace(str(place), "FOLDER")
    lines = shown.rstrip().splitlines()
    wide = [line for line in lines if len(line) > 80]
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES
        half = MOST_LINES // 2
        lines = [*lines[:half], f"[{left} lines left out here]", *lines[-half:]]
    text = "\n".join([f"$ pixelwise {words}".rstrip(), *lines])
    note = f"Exit status {status}, {seconds:.0f} s"
    note += f"; {len(wide)} lines wider than 80." if wide else "."
    return [f"```\n{text}\n```\n\n{note}\n"]


if __name__ == "__main__":
    main()
