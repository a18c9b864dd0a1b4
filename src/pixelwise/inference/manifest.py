"""What became of each image, written while the job runs: CSV files that only ever get more."""

import csv
import io
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pixelwise.inference.outputs import strip_query
from pixelwise.io.storage import Store

FOLDER = "manifest"
COLUMNS = ("image", "state", "mask", "reason", "pixels")
_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\")]+")
ROWS = 10_000
SECONDS = 30.0
"""A part is written when it has so many rows, or so long after the one before."""


class Manifest:
    """Parts under `manifest/` in a store, each written whole; where an image stands twice, the
    later row counts.

    A driver that is killed loses at most SECONDS of rows, but no mask: what is written is found
    again by its name.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._name = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
        self._rows = list[Mapping[str, Any]]()
        self._parts = 0
        self._last = time.monotonic()

    def add(self, row: Mapping[str, Any]) -> None:
        """Take up a row with COLUMNS; of addresses on the web without their queries, which may be
        keys to them.
        """
        reason = _QUERY.sub(
            r"\1", row.get("reason", "").replace(row["image"], strip_query(row["image"]))
        )
        self._rows.append({**row, "image": strip_query(row["image"]), "reason": reason})
        if len(self._rows) >= ROWS or time.monotonic() - self._last > SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet. Raises OutputError."""
        self._last = time.monotonic()
        if not self._rows:
            return
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows)
        self._store.write(f"{FOLDER}/{self._name}-{self._parts:05}.csv", text.getvalue())
        self._parts += 1
        self._rows.clear()


def read_manifest(store: Store, *, since: int = 0) -> dict[str, dict[str, str]]:
    """The last row of each image, by image, the latest at the end; of parts from `since`
    (nanoseconds) on.
    """
    folder = Store(store.at(FOLDER))
    found = dict[str, dict[str, str]]()
    for name in sorted(
        name for name, when in folder.times().items() if name.endswith(".csv") and when >= since
    ):
        for row in csv.DictReader(io.StringIO(folder.text(name) or "", newline="")):
            found.pop(row["image"], None)
            found[row["image"]] = row
    return found
