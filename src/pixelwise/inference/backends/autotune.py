"""The fastest runner for a model on this machine: measured at the first tile, remembered in the
user's cache.
"""

import hashlib
import json
import platform
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from pixelwise.errors import OutputError, PixelwiseError
from pixelwise.hardware import count_threads
from pixelwise.inference.threads import WORKERS
from pixelwise.inference.tta import Logits, Pixels, Runner, release_memory, specialize_for_shape
from pixelwise.io.atomic import atomic, write_text
from pixelwise.progress import Progress

REFERENCE = "torch float32"

# Share of pixels whose label must be the reference's for another runner to be chosen.
MIN_AGREEMENT = 0.995

# Measurements of a runner, of which the best counts.
_ROUNDS = 3

# One that took so many times as long as the fastest in the first measurement is not measured again.
_HOPELESS = 2

_PACKAGES = ("pixelwise", "torch", "onnxruntime", "openvino")


@dataclass(frozen=True)
class Trial:
    """How one runner did on a few tiles."""

    seconds: float
    """For a tile, the best of a few."""

    agreement: float
    """Share of labels that are the reference's, 0 to 1."""


def try_runners(
    candidates: Mapping[str, Runner], tile: Pixels, *, reference: str
) -> dict[str, Trial]:
    """Time every candidate on `tile`, uint8 (N, 3, H, W), in turn, and compare its labels with the
    reference's.

    As many tiles run at once as in a long prediction; the seconds are those for all of them, by
    their number. Those far behind are measured once.
    """
    seconds = dict.fromkeys(candidates, float("inf"))
    with ThreadPoolExecutor(WORKERS) as pool:
        tiles = [tile] * WORKERS
        labels = {name: run(tile).argmax(1) for name, run in candidates.items()}
        for _ in range(1 + _ROUNDS):  # the first round is not the best one
            limit = _HOPELESS * min(seconds.values())
            for name in [name for name in candidates if seconds[name] <= limit]:
                start = time.perf_counter()
                list(pool.map(candidates[name], tiles))
                seconds[name] = min(seconds[name], (time.perf_counter() - start) / WORKERS)
    truth = labels[reference]
    return {
        name: Trial(seconds[name], float((labels[name] == truth).mean())) for name in candidates
    }


def choose_fastest(trials: Mapping[str, Trial]) -> str:
    """The name of the fastest of those that agree. The reference always does."""
    agreeing = {name: trial for name, trial in trials.items() if trial.agreement >= MIN_AGREEMENT}
    return min(agreeing, key=lambda name: agreeing[name].seconds)


class AutoRunner:
    """At the first tile it tries all candidates, logs and keeps the fastest whose labels agree with
    the reference's.

    candidates: functions that make a runner, by name; one of them is REFERENCE. remembered: a JSON
    file with an earlier choice for this model on this machine; a damaged one counts as none.
    precision: the only one to choose from. soonest: the candidate that has labelled a tile first.
    """

    def __init__(
        self,
        candidates: Mapping[str, Callable[[], Runner]],
        *,
        remembered: Path,
        progress: Progress,
        precision: str | None = None,
        soonest: str = REFERENCE,
    ) -> None:
        self.candidates = candidates
        self.remembered = remembered
        self.progress = progress
        self.precision = precision
        self.soonest = soonest
        self.chosen = self._load_remembered()
        self._lock = Lock()

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        return self._runner_for(rgb, lambda runner: runner)(rgb)

    def specialize_for_shape(self) -> Runner:
        """As the chosen runner is; the candidates are tried so too."""
        prepared = cache(specialize_for_shape)
        return lambda rgb: prepared(self._runner_for(rgb, specialize_for_shape))(rgb)

    def release_memory(self) -> None:
        """As the chosen runner does."""
        if self.chosen is not None:
            release_memory(self.chosen)

    def make_soonest(self) -> Runner:
        """A runner to begin with before any is measured."""
        try:
            return self.candidates[self.soonest]()
        except (KeyError, PixelwiseError):
            return self.candidates[REFERENCE]()

    def recall(self) -> bool:
        """Whether the fastest is known, also where another process has measured meanwhile."""
        with self._lock:
            self.chosen = self.chosen or self._load_remembered()
        return self.chosen is not None

    def _runner_for(self, rgb: Pixels, prepare: Callable[[Runner], Runner]) -> Runner:
        with self._lock:
            if self.chosen is None:
                self.chosen = self._measure(rgb[:1], prepare)
        return self.chosen

    def _measure(self, tile: Pixels, prepare: Callable[[Runner], Runner]) -> Runner:
        runners, prepared = self._make_runners(tile, prepare)
        trials = try_runners(prepared, tile, reference=REFERENCE)
        name, reason = self._choose(trials)
        rows = "; ".join(
            f"{name} {1e3 * trial.seconds:.0f} ms, {100 * trial.agreement:.2f} %"
            for name, trial in trials.items()
        )
        self.progress.log(f"runtime {name}: {reason} (a tile, agreement: {rows})")
        # a cache that cannot be written only costs the next run a measurement
        with suppress(OutputError):
            choice = {"runtime": name, "seconds": trials[name].seconds}
            write_text(self.remembered, json.dumps(choice) + "\n")
        return runners[name]

    def _make_runners(
        self, tile: Pixels, prepare: Callable[[Runner], Runner]
    ) -> tuple[dict[str, Runner], dict[str, Runner]]:
        """The candidates that work here, and the same prepared."""
        runners = dict[str, Runner]()
        prepared = dict[str, Runner]()
        for name, make in self.candidates.items():
            try:
                runner = make()
                ready = prepare(runner)
                ready(tile)
            except PixelwiseError as error:
                # such as a cache that cannot be written: PyTorch needs none
                if name == REFERENCE:
                    raise
                self.progress.log(f"runtime {name} left out: {error}")
            else:
                runners[name] = runner
                prepared[name] = ready
        return runners, prepared

    def _choose(self, trials: dict[str, Trial]) -> tuple[str, str]:
        """The name of the best, and why. Those of a given precision may all disagree."""
        of_precision = {
            name: trial for name, trial in trials.items() if name.endswith(self.precision or "")
        }
        eligible = of_precision or trials
        if any(trial.agreement >= MIN_AGREEMENT for trial in eligible.values()):
            return choose_fastest(eligible), "the fastest whose labels agree"
        nearest = max(eligible, key=lambda name: eligible[name].agreement)
        return nearest, f"of {self.precision} the nearest, as none agrees,"

    def _load_remembered(self) -> Runner | None:
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
    parts = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    for part in parts:
        with part.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    digest.update(json.dumps([_version(name) for name in _PACKAGES]).encode())
    return digest.hexdigest()[:20]


def machine_key() -> str:
    """A name for this machine: processor, cores, and whether there is a graphics card."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # not on Windows and macOS
        lines = []
    processor = next(
        (line for line in lines if line.startswith("model name")), platform.processor()
    )
    machine = f"{processor} {count_threads()} {has_graphics_card()}"
    return hashlib.sha256(machine.encode()).hexdigest()[:10]


def has_graphics_card() -> bool:
    """Whether there is one on which PyTorch may compute, as far as the system's files say."""
    return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd"))


def cache_file(path: Path, make: Callable[[], bytes]) -> Path:
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
        with atomic(path) as draft:
            draft.write_bytes(content)
        write_text(sums, str(zlib.crc32(content)))
    return path


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
