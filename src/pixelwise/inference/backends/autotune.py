"""The fastest runner for a model on this machine: measured at the first tile, remembered in the
user's cache.
"""

import hashlib
import json
import platform
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from pixelwise.errors import OutputError, PixelwiseError
from pixelwise.hardware import count_threads
from pixelwise.inference.backends.sessions import AGREEMENT, Trial, fastest, try_runners
from pixelwise.inference.tta import Logits, Pixels, Runner, release_memory, specialize_for_shape
from pixelwise.io.atomic import atomic, write_text
from pixelwise.progress import Progress

REFERENCE = "torch float32"

_PACKAGES = ("pixelwise", "torch", "onnxruntime", "openvino")


class AutoRunner:
    """At the first tile it tries all candidates, logs and keeps the fastest whose labels agree with
    the reference's.

    candidates: functions that make a runner, by name; one of them is REFERENCE. remembered: a JSON
    file with an earlier choice for this model on this machine; a damaged one counts as none.
    precision: the only one to choose from.
    """

    def __init__(
        self,
        candidates: Mapping[str, Callable[[], Runner]],
        *,
        remembered: Path,
        progress: Progress,
        precision: str | None = None,
    ) -> None:
        self.candidates = candidates
        self.remembered = remembered
        self.progress = progress
        self.precision = precision
        self.chosen = self._load_earlier_choice()
        self._turn = Lock()

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        return self._choose(rgb, lambda runner: runner)(rgb)

    def specialize_for_shape(self) -> Runner:
        """As the chosen runner is; the candidates are tried so too."""
        prepared = cache(specialize_for_shape)
        return lambda rgb: prepared(self._choose(rgb, specialize_for_shape))(rgb)

    def release_memory(self) -> None:
        """As the chosen runner does."""
        if self.chosen is not None:
            release_memory(self.chosen)

    def _choose(self, rgb: Pixels, prepare: Callable[[Runner], Runner]) -> Runner:
        with self._turn:
            if self.chosen is None:
                self.chosen = self._measure(rgb, prepare)
        return self.chosen

    def _measure(self, rgb: Pixels, prepare: Callable[[Runner], Runner]) -> Runner:
        runners = dict[str, Runner]()
        prepared = dict[str, Runner]()
        for name, make in self.candidates.items():
            try:
                runner = make()
                prepared[name] = prepare(runner)
                prepared[name](rgb[:1])
                runners[name] = runner
            # such as a cache that cannot be written: PyTorch needs none
            except PixelwiseError as error:
                if name == REFERENCE:
                    raise
                self.progress.log(f"runtime {name} left out: {error}")
        trials = try_runners(
            {name: prepared[name] for name in runners}, rgb[:1], reference=REFERENCE
        )
        name = self._log_choice(trials)
        choice = {"runtime": name, "seconds": trials[name].seconds}
        # a cache that cannot be written only costs the next run a measurement
        with suppress(OutputError):
            write_text(self.remembered, json.dumps(choice) + "\n")
        return runners[name]

    def _log_choice(self, trials: dict[str, Trial]) -> str:
        """The name of the runner to take."""
        suffix = self.precision or ""
        allowed = {name: trial for name, trial in trials.items() if name.endswith(suffix)}
        allowed = allowed or trials
        # those of a precision that was asked for may all disagree
        if any(trial.agreement >= AGREEMENT for trial in allowed.values()):
            name = fastest(allowed)
            reason = "the fastest whose labels agree"
        else:
            name = max(allowed, key=lambda name: allowed[name].agreement)
            reason = f"of {self.precision} the nearest, as none agrees,"
        table = "; ".join(
            f"{candidate} {1e3 * trial.seconds:.0f} ms, {100 * trial.agreement:.2f} %"
            for candidate, trial in trials.items()
        )
        self.progress.log(f"runtime {name}: {reason} (a tile, agreement: {table})")
        return name

    def _load_earlier_choice(self) -> Runner | None:
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
    files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    for part in files:
        with part.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
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
        content = make()
        with atomic(path) as temp_path:
            temp_path.write_bytes(content)
        write_text(sums, str(zlib.crc32(content)))
    return path


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
