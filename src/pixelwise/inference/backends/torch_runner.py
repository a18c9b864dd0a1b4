"""PyTorch as a Runner. Apart from the others, which work without importing PyTorch."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

from pixelwise.errors import ConfigError, ModelError, first_line, unknown_choice_error
from pixelwise.hardware import PRECISIONS, check_precision, is_out_of_memory
from pixelwise.inference.tta import Logits, Pixels


class TorchRunner:
    """Runs a module that takes float RGB in [0, 1], (N, 3, H, W), and normalises by itself.

    The module is moved to `device` and put in eval mode for good. With `bfloat16` it runs under
    autocast; the logits come back as float32 all the same. Raises ConfigError for another
    precision, for one that the GPU lacks, and when a tile does not fit into the device's memory.
    """

    def __init__(
        self, model: nn.Module, *, device: torch.device, precision: str = "float32"
    ) -> None:
        if precision not in PRECISIONS:
            raise unknown_choice_error("precision", precision, PRECISIONS)
        check_precision(precision, device)
        # torch's stubs leave `memory_format` out of Module.to's overloads for modules
        # channels last, in which CPUs and half precision are faster
        moved: nn.Module = model.to(  # type: ignore[call-overload]
            device=device, memory_format=torch.channels_last
        )
        self.model = moved.eval()
        self.device = device
        self.precision = precision
        # one thread for all calls: PyTorch keeps a team of threads for each that calls it, and idle
        # teams spin
        self._thread = ThreadPoolExecutor(1)

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        try:
            return self._thread.submit(self._logits, rgb).result()
        except (RuntimeError, MemoryError) as error:
            height, width = rgb.shape[-2:]
            if not is_out_of_memory(error):
                raise ModelError(
                    f"PyTorch cannot run the network on {height} x {width} pixels "
                    f"({first_line(error)}); give another --device or --runtime"
                ) from error
            raise ConfigError(
                f"{self.device} has too little free memory for {len(rgb)} tile(s) of {height} "
                f"x {width} pixels "
                "(height x width): choose smaller tiles"
                + (", or the CPU" if self.device.type != "cpu" else "")
            ) from error

    @torch.inference_mode()
    def _logits(self, rgb: Pixels) -> Logits:
        pixels = torch.tensor(rgb, device=self.device)  # copies, also what is read-only
        image = pixels.to(torch.float32, memory_format=torch.channels_last).div_(
            255
        )  # (N, 3, H, W)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits: torch.Tensor = self.model(image)  # (N, C, H, W)
        return np.ascontiguousarray(logits.float().cpu().numpy())
