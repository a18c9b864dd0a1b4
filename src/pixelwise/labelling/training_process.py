"""The ordinary training, in a process of low priority, on what is labelled so far without the
strokes that are held back.
"""

import csv
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from pixelwise.classes import Labels
from pixelwise.errors import ImageError
from pixelwise.io.cache import cache_folder
from pixelwise.labelling.dataset import write_classes, write_photo
from pixelwise.labelling.folds import fold_of
from pixelwise.labelling.project import PhotoRecord
from pixelwise.labelling.session import Session
from pixelwise.labelling.strokes import UNLABELLED

HELD_BACK = 0
"""The fold of strokes by which a network is judged."""
NICENESS = 15
MIN_PHOTOS = 4


def is_held_back(number: int) -> bool:
    """Whether no network is trained on the stroke of that number."""
    return bool(fold_of(np.array([number]))[0] == HELD_BACK)


def draw_training_labels(record: PhotoRecord, table: Labels) -> Labels:
    """The labels of a photo without the strokes that are held back: their pixels are void, whatever
    lies below or above them.
    """
    labels = np.full(record.size, UNLABELLED, np.uint8)
    for number, stroke in record.active.items():
        if not is_held_back(number):
            stroke.paint(labels)
    for number, stroke in record.active.items():
        # an accepted prediction came from strokes of all folds, but is not judged by
        if is_held_back(number) and stroke.tool not in ("accept", "import", "take"):
            area = stroke.area(record.size)
            labels[area.box.window][area.covered] = UNLABELLED
    return table[labels]


def write_training_set(session: Session, folder: Path) -> int:
    """Write the data set that a training takes to `folder`; returns its number of photos."""
    shutil.rmtree(folder, ignore_errors=True)
    count = 0
    for name, record in list(session.project.photos.items()):
        with session.lock:
            try:
                session.check_unchanged(name)
            except (ImageError, KeyError):
                continue
            labels = draw_training_labels(record, session.classes.table())
        if (session.classes.ids()[labels] != 255).any():
            path = session.photos.paths[name]
            write_photo(folder, name.replace("/", "_"), path, labels, session.classes)
            count += 1
    write_classes(folder, session.classes)
    return count


class TrainingProcess:
    """One training. `run` is its run folder, `log_path` what it prints."""

    def __init__(self, data: Path, run: Path, *, minutes: float, start: Path | None) -> None:
        self.run = run
        self.minutes = minutes
        self.started = time.monotonic()
        run.parent.mkdir(parents=True, exist_ok=True)
        self.log_path = run.with_suffix(".log")
        command = [sys.executable, "-m", "pixelwise", "train", str(data), "--out", str(run)]
        command += ["--minutes", str(minutes), "--set", "workers=0"]
        if start is not None:
            command += ["--start", str(start)]
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
            )
        if hasattr(os, "setpriority"):
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    @property
    def last_line(self) -> str:
        """The last line that it printed."""
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else ""

    def pause(self, paused: bool) -> None:
        """Stop it where it is, or go on; where the system has no such signal it ends."""
        if self.status is not None:
            return
        if hasattr(signal, "SIGSTOP"):
            self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)
        elif paused:
            self._process.terminate()

    def end(self) -> None:
        """End it; what it has trained is lost."""
        if self.status is None:
            self._process.kill()
        self._process.wait()

    def curve(self) -> list[tuple[int, float]]:
        """Epoch and validation mean IoU so far."""
        try:
            with (self.run / "history.csv").open(encoding="utf-8", newline="") as file:
                rows = csv.DictReader(file)
                return [(int(row["epoch"]), float(row["val_mean_iou"])) for row in rows]
        except (OSError, ValueError, KeyError):
            return []


def training_folder(session: Session) -> Path:
    """Where the data of trainings is written for a project: not in its data set."""
    place = str(session.folder.resolve()).encode()
    return cache_folder() / "labelling-trainings" / hashlib.sha256(place).hexdigest()[:16]
