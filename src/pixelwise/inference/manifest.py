"""What became of each image, and of which image each mask is: CSV files that only ever grow."""

import csv
import io
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, TextIO
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import OutputError
from pixelwise.io.reading_notes import ReadingNotes, encode_notes
from pixelwise.io.storage import Store, strip_query

FOLDER = "manifest"
COLUMNS = ("image", "state", "mask", "reason", "pixels", "bytes", "modified")

# What became of an image. PART: a row chunk of it exists, and others do not. STOPPED: the whole
# job cannot go on, as where the store is full.
DONE = "done"
PART = "part"
FAILED = "failed"
STOPPED = "stopped"

# In folders of earlier versions: a line [mask, image, bytes, nanoseconds] for each mask.
ORIGINS = ".pixelwise-origins.jsonl"

# In a store, a part is written when it has so many rows, or so long after the one before.
ROWS = 10_000
SECONDS = 30.0

_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\")]+")


class Fingerprint(NamedTuple):
    """By what an image file is told from another of its name: bytes, nanoseconds of its change."""

    bytes: int
    modified: int


class Manifest:
    """Parts under `manifest/` in a store; where an image stands twice, the later row counts.

    On disk each row is appended at once. Objects cannot grow: to other stores parts are written
    whole, and a command that is killed loses at most SECONDS of rows, but no mask: what is written
    is found again by its name. No two commands share a part, so several may write at once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._name = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{uuid4().hex[:6]}"
        self._rows = list[Mapping[str, Any]]()
        self._parts = 0
        self._written_at = time.monotonic()
        self._file: TextIO | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        """Take up a row with COLUMNS, the last two may be missing; of images on the web without
        their queries, which may be keys to them.
        """
        image = strip_query(row["image"])
        reason = _QUERY.sub(r"\1", row.get("reason", "").replace(row["image"], image))
        self._rows.append({**row, "image": image, "reason": reason})
        is_due = len(self._rows) >= ROWS or time.monotonic() - self._written_at > SECONDS
        if is_due or self._store.local is not None:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet. Raises OutputError."""
        self._written_at = time.monotonic()
        if not self._rows:
            return
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
        if self._file is None:
            table.writeheader()
        table.writerows(self._rows)
        if self._store.local is None:
            self._store.write(self._part(), text.getvalue())
            self._parts += 1
        else:
            self._append(text.getvalue())
        self._rows.clear()

    def close(self) -> None:
        """Write what is not written yet; no rows come after it. Raises OutputError."""
        self.flush()
        if self._file is not None:
            self._file.close()

    def _part(self) -> str:
        return f"{FOLDER}/{self._name}-{self._parts:05}.csv"

    def _append(self, text: str) -> None:
        path = self._store.at(self._part())
        try:
            if self._file is None:
                folder = self._store.subfolder(FOLDER).local
                if folder is not None:
                    folder.mkdir(parents=True, exist_ok=True)
                # names of files that are no UTF-8 keep their bytes
                self._file = open(  # noqa: PTH123, SIM115  a path as text; closed by `close`
                    path,
                    "a",
                    encoding="utf-8",
                    errors="surrogateescape",
                    newline="",
                )
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}; free some space and run again"
            ) from error


def new_row(
    image: str,
    pixels: int | None,
    state: str,
    reason: str = "",
    *,
    mask: str = "",
    notes: ReadingNotes = (),
    counts: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """What became of an image, as executors hand it on; seconds and messages may be added. counts:
    the mask's pixels (256,) of each label, where they were counted.
    """
    return {
        "image": image,
        "state": state,
        "mask": mask,
        "reason": reason,
        "pixels": pixels,
        "seconds": 0.0,
        "messages": "",
        "notes": encode_notes(notes),
        "counts": "" if counts is None else json.dumps(counts.tolist()),
    }


def read_manifest(store: Store, *, since: int = 0) -> dict[str, dict[str, str]]:
    """The last row of each image, by image, the latest at the end; of parts from `since`
    (nanoseconds) on.

    Records of earlier versions are read too: parts without the last two columns, and ORIGINS. A
    row that was cut short by a crash counts as none. Raises OutputError for a file that is no
    manifest.
    """
    rows = dict[str, dict[str, str]]()
    for row in _all_rows(store, since):
        rows.pop(row["image"], None)
        rows[row["image"]] = row
    return rows


def fingerprint_of(row: Mapping[str, str]) -> Fingerprint | None:
    """What a row says of its image's file; None where it says nothing."""
    try:
        return Fingerprint(int(row["bytes"]), int(row["modified"]))
    except (KeyError, ValueError):
        return None


def _all_rows(store: Store, since: int) -> Iterator[dict[str, str]]:
    if store.times([ORIGINS]).get(ORIGINS, -1) >= since:
        yield from _origins(store.text(ORIGINS) or "")
    folder = store.subfolder(FOLDER)
    times = folder.times()
    for name in sorted(name for name in times if name.endswith(".csv")):
        if times[name] >= since:
            yield from _rows(folder.text(name) or "", folder.at(name))


def _rows(text: str, name: str) -> Iterator[dict[str, str]]:
    whole_lines = text[: text.rfind("\n") + 1]
    table = csv.DictReader(io.StringIO(whole_lines, newline=""))
    columns = table.fieldnames or ()
    if columns and not {"image", "state", "mask"} <= set(columns):
        raise OutputError(
            f"{name}: is no manifest of masks, as it has the columns {', '.join(columns)}; "
            "move it elsewhere, or choose another --out"
        )
    for row in table:
        if None not in row.values():
            yield row


def _origins(text: str) -> Iterator[dict[str, str]]:
    for line in text.splitlines():
        with suppress(ValueError, TypeError):
            mask, image, size, modified = json.loads(line)
            yield {
                "image": str(image),
                "state": DONE,
                "mask": str(mask),
                "reason": "",
                "pixels": "",
                "bytes": str(size),
                "modified": str(modified),
            }
