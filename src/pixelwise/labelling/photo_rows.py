"""The list of photos as the page shows it, of which only the rows that changed are sent."""

import time
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


class PhotoRows:
    """Rows by number, and the revision in which each of them changed last.

    Revisions begin at the time of the start in milliseconds: a page that knows one of an earlier
    process gets all rows.
    """

    def __init__(self) -> None:
        self.revision = time.time_ns() // 1_000_000
        self._rows = list[Row]()
        self._changed = list[int]()

    def update(self, rows: Sequence[Row]) -> None:
        """Take the rows as they are now; their number stays the same."""
        if not self._rows:
            self._rows = [{} for _ in rows]
            self._changed = [self.revision] * len(rows)
        changed = [number for number, row in enumerate(rows) if row != self._rows[number]]
        if not changed:
            return
        self.revision += 1
        for number in changed:
            self._rows[number] = rows[number]
            self._changed[number] = self.revision

    def since(self, revision: int) -> list[tuple[int, Row]]:
        """Numbers and rows of what changed after `revision`."""
        changed = enumerate(zip(self._rows, self._changed, strict=True))
        return [(number, row) for number, (row, last) in changed if last > revision]
