"""What this machine has: device, processor cores and free memory. PyTorch is imported on demand."""

import gc
import logging
import os
import platform
import re
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pixelwise.errors import ConfigError, unknown_choice_error

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
"""Where networks are trained; auto is one of the other two."""

# GPUs of Apple and of Intel, on which PyTorch labels where they are asked for by name.
OTHER_GPUS = ("mps", "xpu")

INFERENCE_DEVICES = (*DEVICES, *OTHER_GPUS)

PRECISIONS = ("float32", "bfloat16")

# What platform.machine() calls a processor of Intel or AMD.
_X86 = ("x86_64", "amd64", "i386")

GROUPS = Path("/sys/fs/cgroup")

# Where a control group's memory limit stands, of the second and the first version: folder, limit,
# usage, and what of it are file pages that can be dropped (Linux,
# Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files").
_LIMITS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def choose_device(name: str) -> "torch.device":
    """The device called `name`; `auto` is the GPU that CUDA finds, where PyTorch can use it.

    Raises ConfigError for an unknown or absent device.
    """
    check_device(name, INFERENCE_DEVICES)
    import torch  # a cached runtime other than PyTorch does without it

    if name == "cpu":
        return torch.device("cpu")
    if name in OTHER_GPUS:
        backend = torch.backends.mps if name == "mps" else torch.xpu
        if not backend.is_available():
            raise ConfigError(
                f"device is '{name}', but PyTorch finds no GPU for it here; choose cpu or auto"
            )
        return torch.device(name)
    present, reason = _find_gpu()
    if name == "cuda" and not present:
        raise ConfigError(
            f"device is 'cuda', but PyTorch finds no GPU here{reason and f' ({reason})'}; "
            "choose cpu or auto"
        )
    if reason:
        _log_unusable(reason)
    return torch.device("cuda" if present else "cpu")


def check_device(name: str, allowed: tuple[str, ...] = DEVICES) -> None:
    """Raises ConfigError for a device that is not `allowed`."""
    if name in allowed:
        return
    kind, _, number = str(name).partition(":")
    advice = ""
    if kind == "cuda" and number:
        advice = f"of several GPUs CUDA_VISIBLE_DEVICES={number} in the environment chooses one"
    if kind in (*OTHER_GPUS, "hip", "rocm"):
        advice = "cuda is an NVIDIA GPU, or one of AMD with PyTorch for ROCm"
    if name in OTHER_GPUS:
        advice += f"; {name} labels, and does not train"
    if advice:
        raise ConfigError(f"device '{name}': choose one of {', '.join(allowed)}; {advice}")
    raise unknown_choice_error("device", str(name), allowed)


@cache
def _log_unusable(reason: str) -> None:
    """Said once: `choose_device` is called more than once."""
    logging.getLogger("pixelwise").warning(
        "device auto is the CPU, as PyTorch cannot use the GPU: %s", reason
    )


def _find_gpu() -> tuple[bool, str]:
    """Whether PyTorch can use a GPU; if not, why, in one line, empty where there is just none.

    PyTorch warns of a driver or a GPU that is too old, over several lines, and goes on.
    """
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        present = torch.cuda.is_available()
        try:
            if present:
                torch.cuda.init()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            return False, _first_sentence(str(error))
    reasons = [_first_sentence(str(item.message)) for item in caught]
    if not present:
        return False, next(iter(reasons), "")
    for reason in reasons:
        # as versions of PyTorch word it; of another GPU than the first it does not matter
        if re.search(r"GPU0\b.*capability|not compatible", reason):
            return False, f"this PyTorch has no kernels for it: {reason}"
    return True, ""


def _first_sentence(text: str) -> str:
    return text.strip().splitlines()[0].partition(". ")[0].rstrip(".")


def gpu_has_bfloat16() -> bool:
    """Whether the GPU computes in bfloat16 (NVIDIA's from compute capability 8.0 on). On older ones
    PyTorch emulates it, more slowly than float32.
    """
    import torch

    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def check_precision(precision: str, device: "torch.device") -> None:
    """Raises ConfigError for bfloat16 on a GPU without it."""
    if precision == "bfloat16" and device.type == "cuda" and not gpu_has_bfloat16():
        import torch

        raise ConfigError(
            f"precision is bfloat16, which the GPU ({torch.cuda.get_device_name()}) has not; "
            "choose float32, or device cpu"
        )


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


def is_x86() -> bool:
    """Whether the processor is one of Intel's or AMD's."""
    return platform.machine().lower() in _X86


def cpu_has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 (AVX-512's or Arm's instructions for it, or AMX);
    without, a step in bfloat16 takes up to many times as long as in float32.
    """
    import torch

    if not _onednn_takes("bf16"):
        return False
    if not is_x86():
        return True
    # oneDNN takes it on every AVX-512 and computes it by float32's instructions: on a Xeon without
    # others the network is half as fast as in float32
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def cpu_has_float16() -> bool:
    """Whether PyTorch's kernels compute in float16 on this processor."""
    return _onednn_takes("fp16")


def _onednn_takes(precision: str) -> bool:
    """Whether oneDNN has kernels for it here. PyTorch has no public way to ask."""
    import torch

    try:
        return bool(getattr(torch.ops.mkldnn, f"_is_mkldnn_{precision}_supported")())
    except (AttributeError, RuntimeError):  # a build without oneDNN
        return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch means that there is too little memory.

    On the CPU PyTorch has no error of its own for it (c10/core/impl/alloc_cpu.cpp), nor for what
    CUDA and its libraries take themselves.
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    messages = (
        "can't allocate memory",
        "not enough memory",
        "CUDA error: out of memory",
        "STATUS_ALLOC_FAILED",  # cuBLAS and cuDNN
    )
    return any(message in str(error) for message in messages)


def release_gpu_memory() -> None:
    """Give back what tensors held that are no longer used, where there is a GPU."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
