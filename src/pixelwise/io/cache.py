"""Where things are kept that can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where exported networks, measured choices and scans of data sets are kept:
    $XDG_CACHE_HOME/pixelwise or ~/.cache/pixelwise.
    """
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "pixelwise"
