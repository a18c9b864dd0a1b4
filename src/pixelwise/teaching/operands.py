"""What the operators take: batches of maps as PyTorch's do, or a single map and its kernel as a
textbook writes them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.errors import ConfigError

Numbers = int | tuple[int, int]

_SHAPES = (
    "give (H, W) and (kh, kw) for one channel, as in a textbook, or (N, C, H, W), or (C, H, W), "
    "and a weight of four axes"
)


@dataclass(frozen=True)
class Operands:
    """input (N, C, H, W) and weight of four axes, and how many axes were put before the input's."""

    input: Tensor
    weight: Tensor
    added: int

    @classmethod
    def of(cls, input: Tensor, weight: Tensor) -> "Operands":
        """Of an input of two to four axes. Raises ConfigError for other shapes, and for what is no
        tensor or not of one type.
        """
        for name, value in (("input", input), ("weight", weight)):
            if not isinstance(value, Tensor):
                raise ConfigError(
                    f"the {name} is a {type(value).__name__}: give a tensor, as torch.tensor makes "
                    "one of lists and arrays"
                )
        if input.dtype != weight.dtype:
            raise ConfigError(
                f"the input holds {_name(input.dtype)} and the weight {_name(weight.dtype)}: give "
                "both in one type, as with .float()"
            )
        if (input.ndim, weight.ndim) == (2, 2):
            return cls(input[None, None], weight[None, None], 2)
        if input.ndim in (3, 4) and weight.ndim == 4:
            added = 4 - input.ndim
            return cls(input[None] if added else input, weight, added)
        raise ConfigError(
            f"an input of shape {tuple(input.shape)} and a weight of shape {tuple(weight.shape)}: "
            f"{_SHAPES}"
        )

    def restore(self, output: Tensor) -> Tensor:
        """The output (N, O, H', W') with as many axes as the input had."""
        for _ in range(self.added):
            output = output[0]
        return output


def check_kernel(kernel: Tensor) -> None:
    """Raises ConfigError for a kernel that is not (kh, kw)."""
    if not isinstance(kernel, Tensor) or kernel.ndim != 2:
        shape = f"of shape {tuple(kernel.shape)}" if isinstance(kernel, Tensor) else "no tensor"
        raise ConfigError(
            f"the kernel is {shape}: a matrix is that of one channel, so give (kh, kw)"
        )


def as_pair(name: str, numbers: Numbers) -> tuple[int, int]:
    """(vertical, horizontal) of one number for both, or of a pair. Raises ConfigError for others,
    such as `same`.
    """
    if isinstance(numbers, int):
        return numbers, numbers
    is_pair = isinstance(numbers, tuple | list) and len(numbers) == 2
    if not is_pair or not all(isinstance(number, int) for number in numbers):
        raise ConfigError(
            f"{name} {numbers!r}: give a whole number or a pair of them, (down, across)"
        )
    down, across = numbers
    return down, across


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
