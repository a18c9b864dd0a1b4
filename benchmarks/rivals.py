"""Others' programs beside pixelwise, as whole commands: where they are, the data that they read,
and the seconds and peak memory of a command.

Ultralytics (AGPL) is only ever run by its own command line, `yolo`, never imported. LibreYOLO (MIT)
is called by libreyolo_ppliteseg.py. Both are looked for in the environment of `--rivals-python`,
which may be another than ours.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
YOLO_SIZES = ("n", "s")
Pair = tuple[str, np.ndarray, np.ndarray]
"""Name, photo and labels."""


@dataclass(frozen=True)
class Ran:
    seconds: float
    peak: float
    """MiB of the largest process of the command."""
    status: int
    output: str
    """Its standard output and error."""


# The peak that Linux tells of a child is never below that of the process that started it, and the
# benchmark has PyTorch loaded: so a process without any starts the command.
_STARTER = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[2:], stdout=sys.stderr)
_, status, usage = os.wait4(process.pid, 0)
peak = usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
seconds = time.perf_counter() - start
with open(sys.argv[1], "w") as file:
    json.dump([seconds, peak, os.waitstatus_to_exitcode(status)], file)
"""


def run_alone(command: list[str], environment: dict[str, str] | None = None) -> Ran:
    """Run a whole command to its end."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _STARTER, str(answer), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, **(environment or {})},
        )
        if not answer.exists():
            return Ran(0, 0, done.returncode or 1, done.stdout)
        seconds, peak, status = json.loads(answer.read_text())
    return Ran(seconds, peak, status, done.stdout)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rivals-python",
        type=Path,
        default=Path(sys.executable),
        help="interpreter of the environment with ultralytics and libreyolo; ours by default",
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="cores and threads that every command gets"
    )


def limit_threads(threads: int, work: Path) -> None:
    """Give this process and all that it starts so many cores and threads, and programs a place for
    their settings.

    The variable alone is not enough: OpenVINO and ONNX Runtime do not read it. And without it
    Ultralytics takes one thread.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    settings = work / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    os.environ["YOLO_CONFIG_DIR"] = str(settings)
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_OFFLINE"] = "true"


def place_of(package: str, python: Path) -> Path | None:
    """The folder of a package in another environment, without importing it."""
    code = f"import importlib.util as u; s = u.find_spec({package!r}); print(s.origin if s else '')"
    origin = subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, check=False
    ).stdout.strip()
    return Path(origin).parent if origin else None


def version_of(package: str, python: Path) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def yolo_model(package: Path, size: str, classes: int, work: Path) -> Path:
    """Description of YOLO26-sem for so many classes, of random weights: its own file with another
    number.
    """
    source = (package / "cfg/models/26/yolo26-sem.yaml").read_text(encoding="utf-8")
    lines = [f"nc: {classes}" if line.startswith("nc:") else line for line in source.splitlines()]
    target = work / f"yolo26{size}-sem.yaml"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def write_layout(folder: Path, classes: int, val: str = "train") -> Path:
    """The description that both others read of a folder with `images` and `masks`, with the split
    `train` and the one to validate on.
    """
    lines = [
        f"path: {folder.resolve()}",
        "train: images/train",
        f"val: images/{val}",
        "masks_dir: masks",
        "names:",
        *(f"  {index}: class {index}" for index in range(classes)),
    ]
    target = folder / "data.yaml"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def copy_pairs(pairs: list[Pair], folder: Path, split: str) -> None:
    """Write photos, at a quality that changes little, and masks of class ids with 255 as void."""
    for name in ("images", "masks"):
        (folder / name / split).mkdir(parents=True)
    for name, rgb, labels in pairs:
        Image.fromarray(rgb).save(folder / "images" / split / f"{name}.jpg", quality=95)
        Image.fromarray(labels).save(folder / "masks" / split / f"{name}.png")


def copy_with_empty_masks(photos: list[Path], folder: Path, classes: int) -> Path:
    """A data set of these photos whose masks are all of class 0, for commands that want masks."""
    for name in ("images", "masks"):
        (folder / name / "train").mkdir(parents=True)
    for photo in photos:
        shutil.copy(photo, folder / "images/train" / photo.name)
        with Image.open(photo) as image:
            empty = np.zeros((image.height, image.width), np.uint8)
        Image.fromarray(empty).save(folder / "masks/train" / f"{photo.stem}.png")
    return write_layout(folder, classes)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


def failed(command: list[str], ran: Ran) -> str:
    return f"{shlex.join(command)} ended with {ran.status}: {last_line(ran.output)}"
