"""From RGB to logits. Whatever computes them is a Runner, so the predictor knows no runtime."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pixelwise.errors import ConfigError, unknown

Runner = Callable[[Tensor], Tensor]
"""uint8 RGB (N, 3, H, W) in; float32 logits (N, C, H, W) out, on the CPU and at exactly the input's size."""

PRECISIONS = ("float32", "bfloat16")


class TorchRunner:
    """Runs a module that takes float RGB in [0, 1], (N, 3, H, W), and normalises by itself.

    The module is moved to `device` and put in eval mode for good. With `bfloat16` it runs under autocast; the logits
    come back as float32 all the same. Raises ConfigError for another precision, and when a tile does not fit into the
    device's memory.
    """

    def __init__(self, model: nn.Module, *, device: torch.device, precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise unknown("precision", precision, PRECISIONS)
        # torch's stubs leave `memory_format` out of Module.to's overloads for modules
        self.model: nn.Module = model.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.device = device
        self.precision = precision

    @torch.inference_mode()
    def __call__(self, rgb: Tensor) -> Tensor:
        """Logits (N, C, H, W), float32 on the CPU, of uint8 `rgb` (N, 3, H, W)."""
        try:
            return self._logits(rgb)
        except torch.OutOfMemoryError as error:
            height, width = rgb.shape[-2:]
            raise ConfigError(
                f"{self.device} has too little free memory for {len(rgb)} tile(s) of {height} x {width} pixels "
                "(height x width): choose smaller tiles, or the CPU"
            ) from error

    def _logits(self, rgb: Tensor) -> Tensor:
        image = rgb.to(self.device).to(torch.float32, memory_format=torch.channels_last).div_(255)  # (N, 3, H, W)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits: Tensor = self.model(image)  # (N, C, H, W)
        return logits.float().cpu()


def mirrored(runner: Runner) -> Runner:
    """A runner whose logits are the mean over the image and its left-right mirror; it takes twice as long."""

    def run(rgb: Tensor) -> Tensor:
        return (runner(rgb) + runner(rgb.flip(-1)).flip(-1)) / 2

    return run
