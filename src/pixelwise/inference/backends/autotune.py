"""The fastest runner for a model on this machine: measured at the first tile, remembered in the
user's cache.
"""

import hashlib
import json
import platform
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from pixelwise.errors import OutputError, PixelwiseError
from pixelwise.hardware import count_threads
from pixelwise.inference.backends.sessions import AGREEMENT, fastest, try_runners
from pixelwise.inference.tta import Logits, Pixels, Runner, release_memory, specialize_for_shape
from pixelwise.io.atomic import atomic, write_text
from pixelwise.progress import Progress

REFERENCE = "torch float32"

_PACKAGES = ("pixelwise", "torch", "onnxruntime", "openvino")


class AutoRunner:
    """At the first tile it tries all candidates, says and keeps the fastest whose labels agree with
    the reference's.

    candidates: functions that make a runner, by name; one of them is REFERENCE. remembered: a JSON
    file with an earlier choice for this model on this machine; a damaged one counts as none.
    precision: the only one to choose from.
    """

    def __init__(
        self,
        candidates: dict[str, Callable[[], Runner]],
        *,
        remembered: Path,
        progress: Progress,
        precision: str | None = None,
    ) -> None:
        self.candidates = candidates
        self.remembered = remembered
        self.progress = progress
        self.precision = precision
        self.chosen = self._earlier()
        self._turn = Lock()

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        return self._settled(rgb, lambda runner: runner)(rgb)

    def specialize_for_shape(self) -> Runner:
        """As the chosen runner is; the candidates are tried so too."""
        prepared = cache(specialize_for_shape)
        return lambda rgb: prepared(self._settled(rgb, specialize_for_shape))(rgb)

    def release_memory(self) -> None:
        """As the chosen runner does."""
        if self.chosen is not None:
            release_memory(self.chosen)

    def _settled(self, rgb: Pixels, way: Callable[[Runner], Runner]) -> Runner:
        with self._turn:
            if self.chosen is None:
                self.chosen = self._measured(rgb, way)
        return self.chosen

    def _measured(self, rgb: Pixels, way: Callable[[Runner], Runner]) -> Runner:
        runners = dict[str, Runner]()
        ways = dict[str, Runner]()
        for name, make in self.candidates.items():
            try:
                runner = make()
                ways[name] = way(runner)
                ways[name](rgb[:1])
                runners[name] = runner
            except (
                PixelwiseError
            ) as error:  # such as a cache that cannot be written: PyTorch needs none
                if name == REFERENCE:
                    raise
                self.progress.log(f"runtime {name} left out: {error}")
        trials = try_runners({name: ways[name] for name in runners}, rgb[:1], reference=REFERENCE)
        among = {
            n: trial for n, trial in trials.items() if n.endswith(self.precision or "")
        } or trials
        agree = any(
            trial.agreement >= AGREEMENT for trial in among.values()
        )  # a precision that was given may not
        name = fastest(among) if agree else max(among, key=lambda n: among[n].agreement)
        why = (
            "the fastest whose labels agree"
            if agree
            else f"of {self.precision} the nearest, as none agrees,"
        )
        listed = "; ".join(
            f"{n} {1e3 * t.seconds:.0f} ms, {100 * t.agreement:.2f} %" for n, t in trials.items()
        )
        self.progress.log(f"runtime {name}: {why} (a tile, agreement: {listed})")
        with suppress(
            OutputError
        ):  # a cache that cannot be written only costs the next run a measurement
            write_text(
                self.remembered,
                json.dumps({"runtime": name, "seconds": trials[name].seconds}) + "\n",
            )
        return runners[name]

    def _earlier(self) -> Runner | None:
        try:
            name = json.loads(self.remembered.read_text(encoding="utf-8"))["runtime"]
            runner = self.candidates[name]()
        except (OSError, ValueError, KeyError, TypeError, PixelwiseError):
            return None
        self.progress.log(f"runtime {name}: the fastest here, as measured before")
        return runner


def model_key(path: Path) -> str:
    """A name for a model file by its content, for an .xml file also that of its .bin, and the
    versions that run it.
    """
    digest = hashlib.sha256()
    for part in (path, path.with_suffix(".bin"))[: 1 + (path.suffix == ".xml")]:
        with part.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    digest.update(json.dumps([_version(name) for name in _PACKAGES]).encode())
    return digest.hexdigest()[:20]


def machine_key() -> str:
    """A name for this machine: processor, cores, and whether there is a graphics card."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    processor = next(
        (line for line in lines if line.startswith("model name")), platform.processor()
    )
    card = any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd"))
    return hashlib.sha256(f"{processor} {count_threads()} {card}".encode()).hexdigest()[:10]


def kept_file(path: Path, make: Callable[[], bytes]) -> Path:
    """`path`, written with what `make` gives where it does not exist yet, or is not what was
    written.
    """
    sums = path.with_suffix(".crc32")
    try:
        whole = sums.read_text(encoding="ascii") == str(zlib.crc32(path.read_bytes()))
    except (OSError, ValueError):
        whole = False
    if not whole:
        made = make()
        with atomic(path) as draft:
            draft.write_bytes(made)
        write_text(sums, str(zlib.crc32(made)))
    return path


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
