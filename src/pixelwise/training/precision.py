"""A step tried on this machine: how long it takes, and in which precision it is faster: measured,
as bfloat16 is fast on some CPUs and slow on others.
"""

import copy
import time
from dataclasses import dataclass

import torch
from torch import nn

from pixelwise.hardware import check_precision, cpu_has_bfloat16, gpu_has_bfloat16
from pixelwise.training.losses import cross_entropy

# A measured step has at most so many images of at most so many pixels a side: what it takes grows
# with both, and the ratio of the precisions does not.
TRIAL_IMAGES = 2
TRIAL_SIDE = 224

# Steps of each precision; the first pays for allocation and kernel choice.
ROUNDS = 3

# bfloat16 must be at least this much faster: below that, float32's accuracy is worth more.
MIN_SPEEDUP = 1.1


@dataclass(frozen=True)
class StepTrial:
    """The precision to train in, the reason, and the seconds of a step where one was measured."""

    precision: str
    reason: str
    seconds: float | None


def try_steps(
    model: nn.Module,
    *,
    device: torch.device,
    crop: tuple[int, int],
    batch: int,
    precision: str = "auto",
) -> StepTrial:
    """Training steps of `batch` images of `crop` pixels, tried where that decides something: in
    `precision`, or where it is `auto`, in both. A GPU is asked, not measured; ConfigError for
    bfloat16 on one without it.
    """
    if device.type == "cuda":
        check_precision(precision, device)
        if precision != "auto":
            return StepTrial(precision, "as set", None)
        if gpu_has_bfloat16():
            return StepTrial("bfloat16", "the GPU supports it", None)
        return StepTrial("float32", "the GPU has no bfloat16", None)
    precisions = [precision]
    if precision == "auto":
        precisions = ["float32", "bfloat16"] if cpu_has_bfloat16() else ["float32"]
    images = min(batch, TRIAL_IMAGES)
    height, width = (min(side, TRIAL_SIDE) for side in crop)
    trial = copy.deepcopy(model).to(memory_format=torch.channels_last)
    size = (images, getattr(model, "channels", 3), height, width)
    seconds, work = _measure_steps(trial, size, precisions)
    chosen = precisions[0]
    reason = "the processor has no bfloat16"
    if len(precisions) == 2:
        speedup = work["float32"] / work["bfloat16"]
        chosen = "bfloat16" if speedup >= MIN_SPEEDUP else "float32"
        reason = f"measured: a step in bfloat16 is {speedup:.2f} times as fast as in float32"
    share = images * height * width / (batch * crop[0] * crop[1])
    return StepTrial(chosen, reason, seconds[chosen] / share)


def _measure_steps(
    model: nn.Module,
    size: tuple[int, int, int, int],
    precisions: list[str],
) -> tuple[dict[str, float], dict[str, float]]:
    """Shortest seconds of a step by precision, on the clock and of the processor, which other
    programs disturb less.
    """
    seconds = dict.fromkeys(precisions, float("inf"))
    work = dict(seconds)
    for number in range(ROUNDS):
        for precision in precisions:  # by turns: what else runs here slows both
            start = time.perf_counter()
            begun = time.process_time()
            _step(model, size, bfloat16=precision == "bfloat16")
            if number:
                seconds[precision] = min(seconds[precision], time.perf_counter() - start)
                work[precision] = min(work[precision], time.process_time() - begun)
    return seconds, work


def _step(model: nn.Module, size: tuple[int, int, int, int], *, bfloat16: bool) -> None:
    images = torch.rand(*size).to(memory_format=torch.channels_last)
    batch, _, height, width = size
    target = torch.zeros(batch, height, width, dtype=torch.long)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = model(images)
    cross_entropy(logits, target).backward()  # type: ignore[no-untyped-call]
