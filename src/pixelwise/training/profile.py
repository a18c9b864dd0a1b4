"""What the steps of a training spend their time on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch.profiler import ProfilerActivity, profile

FIRST, STEPS = 3, 3
"""The first steps of an epoch pay for memory and the choice of kernels; those after them are looked into."""

_ROWS = 12


@dataclass(frozen=True)
class Stopwatch:
    """Seconds by what they were spent on."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Add the time of the block to `what`."""
        start = time.perf_counter()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - start

    def shares(self) -> str:
        """What the time went into, largest first."""
        total = sum(self.seconds.values()) or 1.0
        ranked = sorted(self.seconds.items(), key=lambda item: -item[1])
        return ", ".join(f"{what} {seconds:.1f} s ({seconds / total:.0%})" for what, seconds in ranked)


class Operators:
    """PyTorch's operators in a few steps, told as a table once; `step` is called before each step of an epoch."""

    def __init__(self) -> None:
        self._steps = 0
        kinds = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * torch.cuda.is_available()]
        self._profile = profile(activities=kinds)

    def step(self) -> list[str]:
        """The lines of the table when the steps are over; none before and after."""
        self._steps += 1
        if self._steps == FIRST:
            self._profile.start()
        if self._steps != FIRST + STEPS:
            return []
        self._profile.stop()
        found = self._profile.key_averages()
        on_card = torch.cuda.is_available()
        seconds = {row.key: (row.self_device_time_total if on_card else row.self_cpu_time_total) / 1e6 for row in found}
        calls, total = {row.key: row.count for row in found}, sum(seconds.values()) or 1.0
        ranked = sorted(seconds, key=lambda key: -seconds[key])[:_ROWS]
        lines = [f"operators of {STEPS} steps, {total:.2f} s:"]
        return lines + [f"  {seconds[k] / total:4.0%}  {seconds[k]:6.2f} s  {calls[k]:5} calls  {k}" for k in ranked]
