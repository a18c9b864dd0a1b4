"""Of which image each mask in a folder is, so that a later call leaves it only for that image,
unchanged.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from pixelwise.errors import ConfigError, OutputError

ORIGINS = ".pixelwise-origins.jsonl"
"""In the output folder: a line for each mask as it was written, the last one of a name counts."""


class Origins:
    """What a folder's masks were made of: the images' paths, sizes in bytes and times of change.

    A line that was cut short by a crash counts as none: that mask is made anew.
    """

    def __init__(self, folder: Path, images: Iterable[Path]) -> None:
        self._path = folder / ORIGINS
        self._now = {image: found for image in images if (found := _print(image))}
        self._file: TextIO | None = None
        self._then = dict[str, list[object]]()
        with suppress(OSError):
            for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, TypeError):
                    name, *origin = json.loads(line)
                    self._then[name] = origin

    def unchanged(self, image: Path, mask: str) -> bool:
        """Whether `mask` was made of `image` as it is now. Raises ConfigError where it is of
        another file.
        """
        now = self._now.get(image)
        then = self._then.get(mask)
        if now is None or then is None:
            return False
        if then[1:] == now[1:]:  # the same file, maybe moved
            return True
        if then[0] != now[0]:
            raise ConfigError(
                f"{self._path.parent} has a mask {mask} of {then[0]}, another file than "
                f"{image}; give --overwrite to "
                "make it anew, or another --out"
            )
        return False

    def note(self, image: Path, mask: str) -> None:
        """`mask` was written, of `image` as it was when this call began."""
        if image not in self._now:
            return
        try:
            self._file = self._file or self._path.open("a", encoding="utf-8")
            self._file.write(json.dumps([mask, *self._now[image]]) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"cannot write {self._path}: {error.strerror or error}; free some space"
            ) from error

    def close(self) -> None:
        """No more notes."""
        if self._file is not None:
            self._file.close()


def _print(image: Path) -> list[object] | None:
    """Path, bytes and nanoseconds; None of a file that is not there."""
    try:
        status = image.stat()
    except (OSError, ValueError):
        return None
    return [str(image.absolute()), status.st_size, status.st_mtime_ns]
