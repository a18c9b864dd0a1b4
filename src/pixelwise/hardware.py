"""Whether an error of PyTorch says that memory is too small."""

import torch


def no_memory(error: BaseException) -> bool:
    """On the CPU PyTorch has no error of its own for it (c10/core/impl/alloc_cpu.cpp)."""
    said = ("can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in str(error) for words in said
    )
