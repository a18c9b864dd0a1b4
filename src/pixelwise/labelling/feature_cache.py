"""Features of photos on the disk, in float16, within a bound; the oldest go first."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from pixelwise.errors import OutputError
from pixelwise.io.atomic import atomic
from pixelwise.io.cache import cache_folder

DEFAULT_GIB = 4.0

Arrays = Mapping[str, NDArray[np.float16]]


class FeatureCache:
    """Arrays by key in one folder, of at most `limit` bytes together. What cannot be written, or is
    damaged, is as if it had never been there.
    """

    def __init__(self, limit: int, folder: Path | None = None) -> None:
        self.limit = limit
        self.folder = folder or cache_folder() / "labelling"

    def load(self, key: str) -> dict[str, NDArray[np.float16]] | None:
        """The arrays of a key, None where there are none."""
        path = self._path(key)
        try:
            arrays = load_file(path)
        except (OSError, SafetensorError, ValueError):
            return None
        with suppress(OSError):
            os.utime(path)  # the newest
        return dict(arrays)

    def save(self, key: str, arrays: Arrays) -> None:
        """Keep the arrays of a key; the least recently used go where the bound demands it."""
        size = sum(array.nbytes for array in arrays.values())
        if size > self.limit:
            return
        self._make_room(size)
        with suppress(OutputError, SafetensorError, OSError), atomic(self._path(key)) as temp_path:
            save_file(
                {name: np.ascontiguousarray(value) for name, value in arrays.items()}, temp_path
            )

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def _make_room(self, size: int) -> None:
        files = list[tuple[float, int, Path]]()
        with suppress(OSError):
            for path in self.folder.glob("*.safetensors"):
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        total = sum(held for _, held, _ in files)
        for _, held, path in sorted(files):
            if total + size <= self.limit:
                return
            with suppress(OSError):
                path.unlink()
                total -= held
