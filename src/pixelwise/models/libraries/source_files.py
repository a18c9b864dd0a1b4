"""Which files of another library are a model, without PyTorch."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from pixelwise.errors import ModelError
from pixelwise.io.cache import cache_folder
from pixelwise.models.file_kinds import name_kind

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
CARD = "README.md"
SIDE_FILES = (CONFIG, PREPROCESSOR, CARD)

# Weights in a folder, the first that is there.
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# Weights in several files.
_INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# Files that PyTorch writes.
_PYTORCH = (".pth", ".pt", ".bin", ".ckpt")

_PACKAGES = ("torch", "torchvision", "segmentation-models-pytorch", "transformers")

# To be counted up where a model is read otherwise than before.
_READING = 1


@dataclass(frozen=True)
class Source:
    """The files of one model, as another library wrote them."""

    path: Path
    """What the user gave."""

    weights: Path | None
    """The file of weights; None where a folder holds several."""

    config: Mapping[str, Any]
    """config.json, or the JSON file of the weights' name; empty where there is none."""

    preprocessor: Mapping[str, Any]
    """preprocessor_config.json; empty where there is none."""

    licence: str | None
    """As the model's card says."""

    files: tuple[Path, ...]
    """All of these."""

    def cache_path(self) -> Path:
        """Where the model file is kept that is made of these files as they are."""
        digest = hashlib.sha256(f"{_READING} {_versions()}".encode())
        for file in self.files:
            status = file.stat()
            digest.update(f"{file.resolve()} {status.st_size} {status.st_mtime_ns} ".encode())
        return cache_folder() / "imported" / f"{digest.hexdigest()[:32]}.safetensors"


def find_source(path: Path) -> Source | None:
    """The files of the folder or file `path`; None where it cannot be a model of another library.
    Raises ModelError for a damaged JSON file.
    """
    if path.is_dir():
        folder = path
        weights = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
        indices = [folder / name for name in _INDICES if (folder / name).is_file()]
        if not (folder / CONFIG).is_file() or not (weights or indices):
            return None
        config = folder / CONFIG
    else:
        if not _may_hold_weights(path):
            return None
        folder = path.parent
        weights = path
        indices = []
        own = path.with_suffix(".json")
        config = own if own.is_file() else folder / CONFIG
    others = (config, folder / PREPROCESSOR, folder / CARD)
    present = [file for file in others if file.is_file()]
    return Source(
        path,
        weights,
        _read_json(config),
        _read_json(folder / PREPROCESSOR),
        _read_licence(folder / CARD),
        (*([weights] if weights else indices), *present),
    )


def _may_hold_weights(path: Path) -> bool:
    try:
        kind = name_kind(path)
    except OSError:
        return False
    if path.suffix.lower() == ".safetensors":
        return not kind
    return path.suffix.lower() in _PYTORCH and kind == "a pickle"


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy it again") from error
    if not isinstance(raw, dict):
        raise ModelError(f"{path}: holds no table of options; copy it again")
    return raw


def _read_licence(card: Path) -> str | None:
    """The licence in the front matter of a model card; None where there is none."""
    try:
        text = card.read_text(encoding="utf-8")
        if not text.startswith("---"):
            return None
        front = yaml.safe_load(text.split("---")[1])
        licence = front.get("license")
    except (OSError, ValueError, AttributeError, IndexError, yaml.YAMLError):
        return None
    return str(licence) if licence else None


def _versions() -> list[str]:
    names = []
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            names.append(f"{package} {version(package)}")
    return names
