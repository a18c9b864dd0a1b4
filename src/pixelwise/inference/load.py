"""From a model file to something that predicts."""

from pathlib import Path

import torch

from pixelwise.checkpoint import load_model
from pixelwise.errors import ConfigError
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.runners import TorchRunner

TILE = (1024, 1024)
OVERLAP = 0.25
DEVICES = ("auto", "cpu", "cuda")


def load(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "float32",
    tile: tuple[int, int] = TILE,
    overlap: float = OVERLAP,
) -> Predictor:
    """A Predictor from a run folder or a .safetensors model file.

    Images above `tile` (height, width) pixels are read in tiles that share `overlap` of their sides. Raises ModelError
    for a file that is missing, damaged or not a model, ConfigError for a device or precision that cannot be.
    """
    where = choose_device(device)
    segmenter, header = load_model(Path(model))
    runner = TorchRunner(segmenter, device=where, precision=precision)
    return Predictor(runner, header.classes, tile=tile, overlap=overlap)


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU where PyTorch finds one. Raises ConfigError for an unknown or absent device."""
    if name not in DEVICES:
        raise ConfigError(f"device is {name!r}: choose one of {', '.join(DEVICES)}")
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise ConfigError("device is 'cuda', but PyTorch finds no GPU here; choose cpu or auto")
    return torch.device("cuda" if present and name != "cpu" else "cpu")
