"""What the choices of open options rest on: the training images and the machine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pixelwise.training.config import TrainConfig


def _lose_nothing(scales: Sequence[float]) -> Mapping[float, float]:
    return dict.fromkeys(scales, 1.0)


@dataclass(frozen=True)
class TrainingContext:
    """What the choices rest on: the training images and the machine."""

    images: int
    median_size: tuple[int, int]
    """(height, width)."""
    device: str
    memory: int
    """Free bytes of the device."""
    cores: int
    main_memory: int = 0
    """Free bytes of main memory."""
    decoded: int = 0
    """Bytes of all images and masks, decoded."""
    processes: int = 1
    """Processes that train, on all machines."""
    processes_here: int = 1
    """Those on this machine."""
    early_stages: int = 0
    """Stages of a pretrained encoder up to stride 4, where it can be cut into stages."""
    step_seconds: Callable[[TrainConfig], float | None] = lambda config: None
    """What a step takes, measured; None where it is not known."""
    iou_at_scale: Callable[[Sequence[float]], Mapping[float, float]] = _lose_nothing
    """The mean IoU that masks keep when they are downscaled, by scale."""
