"""The options of a run: what is written of it, and the machine it runs on."""

from dataclasses import dataclass
from typing import Literal

from pixelwise.config_fields import Range, check_fields, option
from pixelwise.hardware import check_device

Recipe = Literal["default", "d2l", "portraits"]


@dataclass(frozen=True)
class RunOptions:
    """The run: its recipe and seed, and the machine it runs on."""

    recipe: Recipe = option("default", own=True, suggest=True)
    """Set of defaults: default; d2l, as "Dive into Deep Learning" trains, with its figures;
    portraits, as a course trains U-Net on alpha mattes.
    """

    seed: int = option(0, own=True, valid=Range(0, 2**63 - 1, text="0 or more, below 2^63"))
    """Random seed for the split, the order of samples, augmentation and new weights."""

    device: Literal["auto", "cpu", "cuda"] = option("auto", own=True)
    """Device; auto is the GPU where there is one."""

    devices: int = option(1, valid=Range(1, text="a whole number of at least 1"))
    """Processes, each on a GPU of its own or a share of the cores; torchrun's count goes first."""

    precision: Literal["auto", "float32", "bfloat16"] = option("auto", own=True)
    """Precision of a training step; auto measures which is faster."""

    timeout: float = option(600.0, valid=Range(0, low_open=True, text="a number above 0"))
    """Seconds that one process waits for the others before it gives up."""

    profile: bool = option(False, own=True)
    """Log what each epoch's time goes into, and the operators of a few steps."""

    tensorboard: bool = option(False)
    """Also write figures and pictures as events for TensorBoard."""

    mlflow: bool = option(False)
    """Also log settings, figures, pictures and the model file to MLflow, where MLFLOW_TRACKING_URI
    says.
    """

    wandb: bool = option(False)
    """Also log settings, figures, pictures and the model file for Weights & Biases, in the run
    folder unless WANDB_MODE=online sends them.
    """

    @property
    def trackers(self) -> list[str]:
        """Those that are asked for, by their packages."""
        return [name for name in ("tensorboard", "mlflow", "wandb") if getattr(self, name)]

    def __post_init__(self) -> None:
        check_device(self.device)
        check_fields(self)
