"""What this machine has: device, processor cores and free memory. PyTorch is imported on demand."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pixelwise.errors import ConfigError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")

PRECISIONS = ("float32", "bfloat16")

GROUPS = Path("/sys/fs/cgroup")

# Where a control group's memory limit stands, of the second and the first version: folder, limit,
# usage, and what of it are file pages that can be dropped (Linux,
# Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files").
_LIMITS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def choose_device(name: str) -> "torch.device":
    """The device called `name`; `auto` is the GPU where PyTorch finds one.

    Raises ConfigError for an unknown or absent device.
    """
    if name not in DEVICES:
        raise ConfigError(f"device is {name!r}: choose one of {', '.join(DEVICES)}")
    import torch  # a cached runtime other than PyTorch does without it

    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise ConfigError("device is 'cuda', but PyTorch finds no GPU here; choose cpu or auto")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def count_threads() -> int:
    """Processor cores to use: OMP_NUM_THREADS where it is set, else those this process may use."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    if setting.isdecimal() and int(setting):
        return int(setting)
    return count_cores()


def count_cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory(device: str) -> int:
    """Bytes that the GPU, or this machine's main memory and the container's limit, can still give;
    8 GiB where the system does not say.
    """
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        rows = dict(line.split(":") for line in lines)
        free = int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        free = 8 << 30
    return min(free, *(_below_limit(GROUPS / part, *names) for part, *names in _LIMITS))


def _below_limit(group: Path, limit: str, usage: str, files: str) -> int:
    """Bytes that a control group may still take; more than there can be without a limit."""
    try:
        rows = dict(
            line.split()
            for line in (group / "memory.stat").read_text(encoding="ascii").splitlines()
        )
        used = int((group / usage).read_text(encoding="ascii")) - int(rows[files])
        return max(0, int((group / limit).read_text(encoding="ascii")) - used)
    except (OSError, KeyError, ValueError):  # "max" is no number
        return 1 << 62


def cpu_has_bfloat16() -> bool:
    """Whether PyTorch's kernels compute in bfloat16 on this processor (AVX-512 at least, AMX, or
    Arm's instructions); without, a step in bfloat16 takes many times as long as in float32.
    """
    import torch

    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a build without oneDNN
        return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch means that there is too little memory.

    On the CPU PyTorch has no error of its own for it (c10/core/impl/alloc_cpu.cpp).
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    messages = ("can't allocate memory", "not enough memory")
    return any(message in str(error) for message in messages)
