"""onnxruntime-web, which runs a network in a browser, from its npm package."""

import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import ConfigError, first_line

PACKAGE = "onnxruntime-web"
OLDEST = (1, 20)
"""The first version of the files that are read; 1.30 was run."""

_GET = f"`npm pack {PACKAGE}` writes one here; give it with --web-runtime"
_SCRIPT = "dist/ort.wasm.min.js"
_GLUE = "dist/ort-wasm-simd-threaded.mjs"
_WASM = "dist/ort-wasm-simd-threaded.wasm"


@dataclass(frozen=True)
class WebRuntime:
    """script: a plain script that defines `ort`. glue: the module by which it starts `wasm`."""

    version: str
    script: bytes
    glue: bytes
    wasm: bytes


def read_web_runtime(path: Path | None = None) -> WebRuntime:
    """The runtime in `path`, a folder or the .tgz of `npm pack`; by default what of both lies in
    the current folder. Raises ConfigError where there is none or it is too old.
    """
    path = path or _find()
    if path.is_dir():
        return _read(path, lambda name: (path / name).read_bytes())
    try:
        with tarfile.open(path) as archive:
            return _read(path, lambda name: _extract(archive, name))
    except (OSError, tarfile.TarError, EOFError) as error:
        raise ConfigError(
            f"web runtime {path}: no npm package can be read there ({first_line(error)}); {_GET}"
        ) from error


def _find() -> Path:
    folder = Path("node_modules", PACKAGE)
    if folder.is_dir():
        return folder
    files = sorted(Path.cwd().glob(f"{PACKAGE}-*.tgz"), key=lambda file: _numbers(file.name))
    if files:
        return files[-1]
    raise ConfigError(f"a page needs {PACKAGE}, which is not in this folder: {_GET}")


def _read(path: Path, read: Callable[[str], bytes]) -> WebRuntime:
    try:
        package = json.loads(read("package.json"))
        name = package["name"]
        version = package["version"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"web runtime {path}: no npm package lies there; {_GET}") from error
    needed = f"{PACKAGE} of version {'.'.join(map(str, OLDEST))} or later is needed"
    if name != PACKAGE or _numbers(str(version)) < OLDEST:
        raise ConfigError(f"web runtime {path}: it is {name} {version}, but {needed}; {_GET}")
    try:
        return WebRuntime(version, read(_SCRIPT), read(_GLUE), read(_WASM))
    except (OSError, KeyError) as error:
        files = ", ".join((_SCRIPT, _GLUE, _WASM))
        raise ConfigError(
            f"web runtime {path}: {name} {version} lacks one of {files}; {_GET}"
        ) from error


def _extract(archive: tarfile.TarFile, name: str) -> bytes:
    """A file of the archive, of which nothing is written to the disk. Raises KeyError."""
    file = archive.extractfile(f"package/{name}")
    if file is None:
        raise KeyError(name)
    return file.read()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
