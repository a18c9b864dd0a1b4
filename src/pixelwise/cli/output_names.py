"""Names of what a command writes where no --out is given."""

from itertools import count
from pathlib import Path


def free_path(path: Path) -> Path:
    """The path, or the first of NAME-2, NAME-3 and so on that is not there yet: nothing is written
    over that nobody named.
    """
    if not path.exists():
        return path
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(other for other in numbered if not other.exists())


def export_path(model: Path, *, suffix: str = ".onnx") -> Path:
    """Where an export goes: into the run folder, beside the model file, or for a bundled model into
    the current folder.
    """
    path = model / f"model{suffix}" if model.is_dir() else model.with_suffix(suffix)
    return free_path(path)
