"""The fastest runner for a model on this machine: measured at the first tile, remembered in the
user's cache.
"""

import hashlib
import json
import platform
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from pixelwise.errors import ConfigError, ModelError, PixelwiseError, first_line
from pixelwise.hardware import count_threads
from pixelwise.inference.backends.choices import Choices
from pixelwise.inference.threads import CALLS, WORKERS
from pixelwise.inference.tta import Logits, Pixels, Runner, release_memory, specialize_for_shape
from pixelwise.io.atomic import atomic, write_text
from pixelwise.models.config import ModelConfig
from pixelwise.progress import Progress

REFERENCE = "torch float32"

# Share of pixels whose label must be the reference's for another runner to be chosen.
MIN_AGREEMENT = 0.995

# Measurements of a runner, of which the best counts.
_ROUNDS = 3

# One that took so many times as long as the fastest in the first measurement is not measured again.
_HOPELESS = 2

# Seconds of measurement after which no further round begins.
_BUDGET = 1.5

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
    their number. Those far behind are measured once, and all end when _BUDGET is spent.
    """
    seconds = dict.fromkeys(candidates, float("inf"))
    with ThreadPoolExecutor(WORKERS) as pool, CALLS.expect_many():
        tiles = [tile] * WORKERS
        labels = {name: run(tile).argmax(1) for name, run in candidates.items()}
        end = time.perf_counter() + _BUDGET
        for _ in range(1 + _ROUNDS):  # the first round is not the best one
            limit = _HOPELESS * min(seconds.values())
            for name in [name for name in candidates if seconds[name] <= limit]:
                start = time.perf_counter()
                list(pool.map(candidates[name], tiles))
                seconds[name] = min(seconds[name], (time.perf_counter() - start) / WORKERS)
            if time.perf_counter() > end:
                break
    truth = labels[reference]
    return {
        name: Trial(seconds[name], float((labels[name] == truth).mean())) for name in candidates
    }


def rank(trials: Mapping[str, Trial]) -> list[str]:
    """Those that agree, the fastest first. The reference always does."""
    agreeing = [name for name, trial in trials.items() if trial.agreement >= MIN_AGREEMENT]
    return sorted(agreeing, key=lambda name: trials[name].seconds)


class AutoRunner:
    """At the first tile it tries candidates, logs and keeps the fastest whose labels agree. Where
    one cannot run, then or later, the next fastest takes its place, and last of all PyTorch.

    candidates: functions that make a runner, by name; PyTorch's among them. tried: gives the names
    to measure, all without it; REFERENCE joins them where they do not agree. choices: an earlier
    order for this model on this machine. precision: the only one to choose from. order: names to
    take without a measurement, the first that works. soonest: those that label a tile first,
    for `make_soonest`.
    """

    def __init__(
        self,
        candidates: Mapping[str, Callable[[], Runner]],
        *,
        choices: Choices,
        progress: Progress,
        tried: Callable[[], Sequence[str]] | None = None,
        precision: str | None = None,
        order: Sequence[str] = (),
        soonest: Sequence[str] = (),
    ) -> None:
        self.candidates = candidates
        self.choices = choices
        self.progress = progress
        self.tried = tried or (lambda: list(candidates))
        self.precision = precision
        self.soonest = soonest
        self.chosen: Runner | None = None
        self._order = list[str]()
        self._lock = Lock()
        known = list(order) or choices.load()
        if not set(known).isdisjoint(candidates):
            self._take(known)
            if not order:
                self.progress.log(f"runtime {self._order[0]}: the fastest here, as measured before")

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        return self._run(rgb, lambda runner: runner)

    def specialize_for_shape(self) -> Runner:
        """As the chosen runner is; the candidates are tried so too."""
        prepared = cache(specialize_for_shape)
        return lambda rgb: self._run(rgb, prepared)

    def release_memory(self) -> None:
        """As the chosen runner does."""
        if self.chosen is not None:
            release_memory(self.chosen)

    def make_soonest(self) -> Runner:
        """A runner to begin with before any is measured."""
        for name in self.soonest:
            with suppress(KeyError, PixelwiseError):
                return self.candidates[name]()
        return self.candidates[REFERENCE]()

    def recall(self) -> bool:
        """Whether the fastest is known, also where another process has measured meanwhile."""
        with self._lock:
            known = [] if self.chosen else self.choices.load()
            if not set(known).isdisjoint(self.candidates):
                self._take(known)
        return self.chosen is not None

    def _run(self, rgb: Pixels, prepare: Callable[[Runner], Runner]) -> Logits:
        while True:
            with self._lock:
                if self.chosen is None:
                    self._measure(rgb[:1], prepare)
                runner = self.chosen
            assert runner is not None  # for mypy: `_measure` chose it
            try:
                return prepare(runner)(rgb)
            except ModelError as error:
                with self._lock:
                    if self.chosen is runner:  # no other thread has replaced it yet
                        self._replace(error)

    def _take(self, order: Sequence[str]) -> None:
        """Make the first of them that can be made, or PyTorch."""
        last = f"torch {self.precision or 'float32'}"
        self._order = [name for name in order if name != last] + [last]
        self._make_first()

    def _replace(self, error: Exception) -> None:
        """Take the next in order for one that failed. Raises the error where there is none."""
        name = self._order.pop(0)
        if not self._order:
            self._order = [name]
            raise error
        # whatever is missing or damaged may be back: the next command measures all
        self.choices.forget()
        self.progress.log(
            f"runtime {name} left out: {first_line(error)}; {self._order[0]} takes its place"
        )
        self._make_first()

    def _make_first(self) -> None:
        name = self._order[0]
        try:
            if name not in self.candidates:
                raise ConfigError(f"{name.split()[0]} is not installed")
            self.chosen = self.candidates[name]()
        except Exception as error:  # packages that are damaged raise anything
            self._replace(error)

    def _measure(self, tile: Pixels, prepare: Callable[[Runner], Runner]) -> None:
        runners, prepared = self._make_runners(self.tried(), tile, prepare)
        trials = self._try(prepared, tile)
        if not trials or any(_disagrees(name, trial) for name, trial in trials.items()):
            more = self._make_runners([REFERENCE], tile, prepare)
            runners |= more[0]
            prepared |= more[1]
            trials = self._try(prepared, tile)
        names, reason = self._choose(trials)
        name = names[0]
        rows = "; ".join(
            f"{name} {1e3 * trial.seconds:.0f} ms, {100 * trial.agreement:.2f} %"
            for name, trial in trials.items()
        )
        self.progress.log(f"runtime {name}: {reason} (a tile, agreement: {rows})")
        quick = [other for other in trials if trials[other].seconds <= trials[name].seconds]
        self.choices.save(names, for_network=all(other.endswith("float32") for other in quick))
        self._order = [*names, *[REFERENCE] * (REFERENCE not in names)]
        self.chosen = runners[name]

    def _try(self, prepared: Mapping[str, Runner], tile: Pixels) -> dict[str, Trial]:
        """How they did, beside PyTorch or else the first in float32; nothing without one."""
        names = [REFERENCE] * (REFERENCE in prepared)
        names += [name for name in prepared if name.endswith("float32")]
        return try_runners(prepared, tile, reference=names[0]) if names else {}

    def _make_runners(
        self, names: Sequence[str], tile: Pixels, prepare: Callable[[Runner], Runner]
    ) -> tuple[dict[str, Runner], dict[str, Runner]]:
        """The candidates that work here, and the same prepared."""
        runners = dict[str, Runner]()
        prepared = dict[str, Runner]()
        for name in names:
            try:
                runner = self.candidates[name]()
                ready = prepare(runner)
                with CALLS.expect_many():
                    ready(tile)
            except Exception as error:  # such as a cache that cannot be written, a damaged package
                if name == REFERENCE:
                    raise
                self.progress.log(f"runtime {name} left out: {first_line(error)}")
            else:
                runners[name] = runner
                prepared[name] = ready
        return runners, prepared

    def _choose(self, trials: dict[str, Trial]) -> tuple[list[str], str]:
        """The names, the best first, and why. Those of a given precision may all disagree."""
        of_precision = {
            name: trial for name, trial in trials.items() if name.endswith(self.precision or "")
        }
        eligible = of_precision or trials
        if agreeing := rank(eligible):
            return agreeing, "the fastest whose labels agree"
        nearest = max(eligible, key=lambda name: eligible[name].agreement)
        return [nearest], f"of {self.precision} the nearest, as none agrees,"


def _disagrees(name: str, trial: Trial) -> bool:
    """Whether labels differ by more than another precision explains."""
    return name.endswith("float32") and trial.agreement < MIN_AGREEMENT


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
    digest.update(_versions())
    return digest.hexdigest()[:20]


def network_key(config: ModelConfig) -> str:
    """A name for an architecture, whatever its weights, and the versions that run it."""
    return hashlib.sha256(repr(config).encode() + _versions()).hexdigest()[:20]


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
    """Whether there is one on which PyTorch may compute, as far as can be told without it."""
    if sys.platform == "linux":  # the last one is Windows' under WSL
        return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg"))
    return shutil.which("nvidia-smi") is not None  # comes with the driver


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


def _versions() -> bytes:
    return json.dumps([_version(name) for name in _PACKAGES]).encode()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
