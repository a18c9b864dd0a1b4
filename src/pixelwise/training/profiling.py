"""What the steps of a training spend their time on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch.profiler import ProfilerActivity, profile

# The first steps of an epoch pay for memory and the choice of kernels; those after them are
# profiled.
FIRST_STEP = 3
STEPS = 3

# Operators in the table.
_ROWS = 12


@dataclass(frozen=True)
class Stopwatch:
    """Seconds by what they were spent on."""

    seconds: dict[str, float] = field(default_factory=dict)
    waits_for_gpu: bool = False
    """Whether a block ends only when the GPU has done what it asked for."""

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Add the time of the block to `what`."""
        start = time.perf_counter()
        yield
        if self.waits_for_gpu:
            torch.cuda.synchronize()
        self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - start

    def shares(self) -> str:
        """What the time went into, largest first."""
        total = sum(self.seconds.values()) or 1.0
        ranked = sorted(self.seconds.items(), key=lambda item: -item[1])
        return ", ".join(
            f"{what} {seconds:.1f} s ({seconds / total:.0%})" for what, seconds in ranked
        )


class OperatorProfile:
    """PyTorch's operators in a few steps of an epoch, logged once as a table; `step` is called
    before each step.

    A context manager; nothing is profiled where it is not `enabled`. `device` is where they run.
    """

    def __init__(self, log: Callable[[str], None], *, enabled: bool, device: str = "cpu") -> None:
        self._log = log
        self._enabled = enabled
        self._on_gpu = device == "cuda"
        self._steps = 0
        self._profile: profile | None = None

    def __enter__(self) -> "OperatorProfile":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def step(self) -> None:
        """Start profiling after the first steps, and log the table when enough were profiled."""
        self._steps += 1
        if self._enabled and self._steps == FIRST_STEP:
            kinds = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * self._on_gpu]
            self._profile = profile(activities=kinds)
            self._profile.start()
        if self._steps == FIRST_STEP + STEPS:
            self._end()

    def _end(self) -> None:
        if self._profile is None:
            return
        self._profile.stop()
        averages = self._profile.key_averages()
        self._profile = None
        steps = min(STEPS, self._steps - FIRST_STEP + 1)
        column = "self_device_time_total" if self._on_gpu else "self_cpu_time_total"
        seconds = {row.key: getattr(row, column) / 1e6 for row in averages}
        calls = {row.key: row.count for row in averages}
        total = sum(seconds.values()) or 1.0
        self._log(f"operators of {steps} steps, {total:.2f} s:")
        for name in sorted(seconds, key=lambda key: -seconds[key])[:_ROWS]:
            self._log(
                f"  {seconds[name] / total:4.0%}  {seconds[name]:6.2f} s  {calls[name]:5} "
                f"calls  {name}"
            )
