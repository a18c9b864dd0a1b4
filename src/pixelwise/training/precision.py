"""The precision that trains faster on this machine: measured, as bfloat16 is fast on some CPUs and
slow on others.
"""

import copy
import time

import torch
from torch import nn

from pixelwise.hardware import cpu_has_bfloat16
from pixelwise.training.losses import cross_entropy

# Images of a measured step, at most.
TRIAL_IMAGES = 4

# bfloat16 must be at least this much faster: below that, float32's accuracy is worth more.
MIN_SPEEDUP = 1.1


def choose_precision(
    model: nn.Module,
    *,
    device: torch.device,
    crop: tuple[int, int],
    batch: int,
) -> tuple[str, str]:
    """'float32' or 'bfloat16', and the reason, for training steps of `batch` images of `crop`
    pixels.
    """
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported():
            return "bfloat16", "the GPU supports it"
        return "float32", "the GPU has no bfloat16"
    if not cpu_has_bfloat16():
        return "float32", "the processor has no bfloat16"
    trial = copy.deepcopy(model).to(memory_format=torch.channels_last)
    images = min(batch, TRIAL_IMAGES)
    float_seconds = _step_seconds(trial, crop, images, bfloat16=False)
    bfloat_seconds = _step_seconds(trial, crop, images, bfloat16=True)
    speedup = float_seconds / bfloat_seconds
    chosen = "bfloat16" if speedup >= MIN_SPEEDUP else "float32"
    return chosen, f"measured: a step in bfloat16 is {speedup:.2f} times as fast as in float32"


def _step_seconds(model: nn.Module, crop: tuple[int, int], batch: int, *, bfloat16: bool) -> float:
    images = torch.rand(batch, 3, *crop).to(memory_format=torch.channels_last)
    target = torch.zeros(batch, *crop, dtype=torch.long)
    seconds = []
    for _ in range(3):  # the first pays for allocation and kernel choice
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(images)
        cross_entropy(logits, target).backward()  # type: ignore[no-untyped-call]
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
